import { STANDBY, type StandbyScript } from './script-command.ts';
import type { ScriptProcess } from './script-process.ts';

/** A script that cannot be started in advance, and its own words. */
export type RefusalListener = (script: StandbyScript, reason: string) => void;

/**
 * One process of each of the scripts that somebody waits for, started in advance: it is past sudo and has read its functions, and
 * waits for its arguments on stdin. What ends of itself before it is needed is started again with the next use; one that cannot be
 * started in advance is told once, and never tried again.
 */
export class StandbyScripts {
  readonly #launch: (script: StandbyScript) => ScriptProcess;
  readonly #onRefusal: RefusalListener;
  readonly #waiting = new Map<StandbyScript, ScriptProcess>();
  readonly #wanted = new Set<StandbyScript>();

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

  /** Starts another one where none waits. */
  refill(script: StandbyScript): void {
    if (!this.#wanted.has(script) || this.#waiting.has(script)) return;
    const process = this.#launch(script);
    this.#waiting.set(script, process);
    void process.exited().then((exitCode) => {
      if (this.#waiting.get(script) !== process) return;
      this.#waiting.delete(script);
      if (exitCode === undefined) return;
      this.#wanted.delete(script);
      this.#onRefusal(script, process.notice);
    });
  }

  /** The one that waits, if there is one; it is the caller's now, who has to write a line of arguments to it. */
  take(script: StandbyScript): ScriptProcess | undefined {
    const process = this.#waiting.get(script);
    this.#waiting.delete(script);
    return process;
  }

  /** Resolves when none is left. */
  async close(): Promise<void> {
    this.#wanted.clear();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const process of waiting) process.end();
    await Promise.all(waiting.map((process) => process.exited()));
  }
}
