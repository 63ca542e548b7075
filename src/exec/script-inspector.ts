import type { Inspection, Inspector } from '../doctor/inspection.ts';
import { parseInspection } from './inspection-lines.ts';
import type { ScriptRunner } from './script-runner.ts';

/** Looks at the host by the script that does so as root. */
export class ScriptInspector implements Inspector {
  readonly #scripts: ScriptRunner;

  constructor(scripts: ScriptRunner) {
    this.#scripts = scripts;
  }

  async inspect(): Promise<Inspection> {
    return parseInspection(await this.#scripts.run('draupnir-inspect', []));
  }
}
