import { withDeadline } from './deadline.ts';
import { buildScriptCommand, type Script } from './script-command.ts';
import { ScriptProcess } from './script-process.ts';

export interface RunOptions {
  input?: string;
  /** Instead of the runner's own limit, in milliseconds. */
  timeoutMs?: number;
}

/** Starts the scripts of one installation as root. */
export class ScriptRunner {
  readonly #scriptsPath: string;
  /** Longest time of a script, or of one step of an exchange with it, in milliseconds. */
  readonly timeoutMs: number;

  constructor(scriptsPath: string, timeoutMs: number) {
    this.#scriptsPath = scriptsPath;
    this.timeoutMs = timeoutMs;
  }

  /** Starts a script and leaves the exchange with it to the caller. */
  start(script: Script, args: readonly number[]): ScriptProcess {
    return new ScriptProcess(script, buildScriptCommand(this.#scriptsPath, script, args));
  }

  /** Runs a script that asks nothing, with `input` on its stdin; resolves to the lines of its stdout. Throws ScriptError. */
  async run(script: Script, args: readonly number[], options: RunOptions = {}): Promise<string[]> {
    const { input = '', timeoutMs = this.timeoutMs } = options;
    const process = this.start(script, args);
    if (input !== '') process.write(input);
    process.end();
    const lines: string[] = [];
    const work = async (): Promise<string[]> => {
      for (let line = await process.readLine(); line !== undefined; line = await process.readLine()) {
        lines.push(line);
      }
      if ((await process.exited()) !== 0) throw await process.failure();
      return lines;
    };
    return withDeadline(work(), timeoutMs, () => process.createTimeout());
  }
}
