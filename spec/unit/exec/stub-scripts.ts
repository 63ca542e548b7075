import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Script, type ScriptArguments, WAIT } from '../../../src/exec/script-command.ts';
import { ScriptProcess } from '../../../src/exec/script-process.ts';
import { ScriptRunner } from '../../../src/exec/script-runner.ts';

/** Runs small bash scripts in place of the real ones, without sudo: real processes and real pipes. */
export class StubScripts extends ScriptRunner {
  readonly #directory: string;

  /** `bodies` are bash. The scripts are gone when the running test ends. */
  constructor(
    bodies: Partial<Record<Script, string>>,
    timeoutMs = 60_000,
    onNotice?: (script: Script, notice: string) => void,
  ) {
    const directory = mkdtempSync(join(tmpdir(), 'draupnir-stubs-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    super(directory, timeoutMs, onNotice);
    this.#directory = directory;
    for (const [script, body] of Object.entries(bodies)) {
      writeFileSync(join(directory, script), `#!/bin/bash\n${body}\n`, { mode: 0o700 });
    }
  }

  protected override launch(script: Script, args: ScriptArguments): ScriptProcess {
    const words = args === WAIT ? [WAIT] : args.map(String);
    return new ScriptProcess(script, { file: join(this.#directory, script), args: words });
  }
}
