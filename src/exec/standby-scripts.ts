import { setTimeout as delay } from 'node:timers/promises';
import { STANDBY, type StandbyScript } from './script-command.ts';
import type { ScriptProcess } from './script-process.ts';

/** A script that cannot be started in advance, and its own words. */
export type RefusalListener = (script: StandbyScript, reason: string) => void;

/** How long those that wait may take to end, in milliseconds; one that hangs is left behind. */
const END_MS = 1000;
/** What a script says that waits. */
const WAITING = 'waiting';

/**
 * One process of each of the scripts that somebody waits for, started in advance: it is past sudo and has read its functions, and
 * waits for its arguments on stdin. What ends of itself before it is needed is started again with the next use; one that cannot be
 * started in advance is told once, and never tried again.
 */
export class StandbyScripts {
  readonly #launch: (script: StandbyScript) => ScriptProcess;
  readonly #onRefusal: RefusalListener;
  readonly #wanted = new Set<StandbyScript>();
  /** Those that have been started and belong to nobody yet. */
  readonly #started = new Map<StandbyScript, ScriptProcess>();
  /** Those of them that have said that they wait. */
  readonly #waiting = new Set<ScriptProcess>();

  constructor(launch: (script: StandbyScript) => ScriptProcess, onRefusal: RefusalListener) {
    this.#launch = launch;
    this.#onRefusal = onRefusal;
  }

  /** Starts one of each. */
  open(): void {
    for (const script of STANDBY) {
      this.#wanted.add(script);
      this.refill(script);
    }
  }

  /** Starts another one where none has been. */
  refill(script: StandbyScript): void {
    if (!this.#wanted.has(script) || this.#started.has(script)) return;
    const process = this.#launch(script);
    this.#started.set(script, process);
    void process.readLine().then((line) => {
      if (line === WAITING && this.#started.get(script) === process) this.#waiting.add(process);
    });
    void process.exited().then((exitCode) => {
      this.#waiting.delete(process);
      if (this.#started.get(script) !== process) return;
      this.#started.delete(script);
      if (exitCode === undefined) return;
      this.#wanted.delete(script);
      this.#onRefusal(script, process.notice);
    });
  }

  /** The one that waits, if there is one; it is the caller's now, who has to write a line of arguments to it. */
  take(script: StandbyScript): ScriptProcess | undefined {
    const process = this.#started.get(script);
    if (!process || !this.#waiting.delete(process)) return undefined;
    this.#started.delete(script);
    return process;
  }

  /** Ends them all; resolves when none is left, or soon. */
  async close(): Promise<void> {
    this.#wanted.clear();
    const started = [...this.#started.values()];
    this.#started.clear();
    for (const process of started) process.end();
    const gone = Promise.all(started.map((process) => process.exited()));
    await Promise.race([gone, delay(END_MS, undefined, { ref: false })]);
  }
}
