import { withDeadline } from './deadline.ts';
import { buildScriptCommand, formatArguments, isStandby, WAIT } from './script-command.ts';
import type { Script, ScriptArguments } from './script-command.ts';
import { toFailure } from './script-error.ts';
import { ScriptProcess } from './script-process.ts';
import { type RefusalListener, StandbyScripts } from './standby-scripts.ts';

/**
 * How long after the end of one that waited the next is started, in milliseconds: to start a process holds up the server, and somebody is
 * about to be answered.
 */
const REFILL_MS = 50;

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
  readonly #onNotice: (script: Script, notice: string) => void;
  #standby: StandbyScripts | undefined;

  /** `onNotice` is told what a script that succeeded printed for the operator. */
  constructor(
    scriptsPath: string,
    timeoutMs: number,
    onNotice: (script: Script, notice: string) => void = () => undefined,
  ) {
    this.#scriptsPath = scriptsPath;
    this.timeoutMs = timeoutMs;
    this.#onNotice = onNotice;
  }

  /** From now on keeps one of each standby script waiting; `onRefusal` is told of those for which that is not possible. */
  standBy(onRefusal: RefusalListener): void {
    this.#standby = new StandbyScripts((script) => this.launch(script, WAIT), onRefusal);
    this.#standby.open();
  }

  /** Ends those that wait; scripts can still be run. */
  async close(): Promise<void> {
    await this.#standby?.close();
  }

  /** Starts a script, or takes one that waits, and leaves the exchange with it to the caller. */
  start(script: Script, args: readonly number[]): ScriptProcess {
    const process = this.#takeWaiting(script, args) ?? this.launch(script, args);
    void process.exited().then((exitCode) => {
      if (exitCode === 0 && process.notice !== '') this.#onNotice(script, process.notice);
      if (isStandby(script)) setTimeout(() => this.#standby?.refill(script), REFILL_MS).unref();
    });
    return process;
  }

  #takeWaiting(script: Script, args: readonly number[]): ScriptProcess | undefined {
    if (!isStandby(script)) return undefined;
    const line = `${formatArguments(script, args).join(' ')}\n`;
    const process = this.#standby?.take(script);
    process?.write(line);
    return process;
  }

  /** Makes the process; tests put other programs in its place. */
  protected launch(script: Script, args: ScriptArguments): ScriptProcess {
    return new ScriptProcess(script, buildScriptCommand(this.#scriptsPath, script, args));
  }

  /**
   * Runs a script that asks nothing, with `input` on its stdin; resolves to the lines of its stdout. Throws ScriptError,
   * `insufficient_disk`.
   */
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
      if ((await process.exited()) !== 0) throw toFailure(await process.failure());
      return lines;
    };
    return withDeadline(work(), timeoutMs, () => process.createTimeout());
  }
}
