import { withDeadline } from './deadline.ts';
import { buildScriptCommand, type Script } from './script-command.ts';
import { ScriptError } from './script-error.ts';
import { ScriptProcess } from './script-process.ts';

/** Longest time of a script that has no deadline of its own: removing a very large subvolume. */
const TIMEOUT_MS = 10 * 60_000;

/** Starts the scripts of one installation as root. */
export class ScriptRunner {
  readonly #scriptsPath: string;

  constructor(scriptsPath: string) {
    this.#scriptsPath = scriptsPath;
  }

  /** Starts a script and leaves the exchange with it to the caller. */
  start(script: Script, args: readonly number[]): ScriptProcess {
    return new ScriptProcess(script, buildScriptCommand(this.#scriptsPath, script, args));
  }

  /** Runs a script that asks nothing; resolves to the lines of its stdout. Throws ScriptError. */
  async run(script: Script, args: readonly number[]): Promise<string[]> {
    const process = this.start(script, args);
    process.end();
    const lines: string[] = [];
    const work = async (): Promise<string[]> => {
      for (let line = await process.readLine(); line !== undefined; line = await process.readLine()) {
        lines.push(line);
      }
      if ((await process.exited()) !== 0) throw await process.failure();
      return lines;
    };
    return withDeadline(work(), TIMEOUT_MS, () => new ScriptError(script, undefined, 'took too long'));
  }
}
