import type { Log } from '../core/log.ts';

export interface LoopOptions {
  /** For the log. */
  name: string;
  /** From the start of one round to the start of the next; a round that takes longer delays the next, which starts at once. */
  intervalMs: number;
  /** One round. Should end early when the signal fires. */
  round: (signal: AbortSignal) => Promise<void>;
  log: Log;
}

/** Runs rounds, never two at once, until it is stopped. A round that fails is logged; the next one comes all the same. */
export class Loop {
  readonly #options: LoopOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #woken = false;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Starts with a round at once. To be called once. */
  start(): void {
    this.#timer = undefined;
    this.#woken = false;
    this.#running = this.#run();
  }

  /** Has the next round begin at once, or right after the one under way. Before the start and after the stop it does nothing. */
  wake(): void {
    this.#woken = true;
    if (this.#timer === undefined || this.#stop.signal.aborted) return;
    clearTimeout(this.#timer);
    this.start();
  }

  /** Resolves when no round runs and none will. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { name, intervalMs, round, log } = this.#options;
    const started = Date.now();
    try {
      await round(this.#stop.signal);
    } catch (error) {
      log.error({ loop: name, err: error }, 'round failed');
    }
    if (this.#stop.signal.aborted) return;
    const restMs = this.#woken ? 0 : started + intervalMs - Date.now();
    const delayMs = Math.min(intervalMs, Math.max(0, restMs));
    this.#timer = setTimeout(() => this.start(), delayMs);
  }
}
