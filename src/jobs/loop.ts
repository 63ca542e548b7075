import type { ErrorReporter } from '../core/error-reporter.ts';
import type { Log } from '../core/log.ts';

export interface LoopOptions {
  /** For the log. */
  name: string;
  /** From the start of one round to the start of the next; a round that takes longer delays the next, which starts at once. */
  intervalMs: number;
  /** One round. Should end early when the signal fires. */
  round: (signal: AbortSignal) => Promise<void>;
  log: Log;
  /** Gets what is logged of failed rounds. */
  errors?: ErrorReporter | undefined;
}

/** A failure that goes on, such as a database that is away, is logged again after this time, in milliseconds. */
const REMINDER_MS = 60_000;

/** The rounds have failed since a while, for the same reason. */
interface Failure {
  reason: string;
  loggedAt: number;
  /** Rounds that failed since the first was logged. */
  rounds: number;
}

/**
 * Runs rounds, never two at once, until it is stopped. The next round comes also after one that failed. The log tells when rounds
 * begin to fail, reminds of it, and tells when they succeed again.
 */
export class Loop {
  readonly #options: LoopOptions;
  #failure: Failure | undefined;
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
    const { intervalMs, round } = this.#options;
    const started = Date.now();
    try {
      await round(this.#stop.signal);
      this.#noteSuccess();
    } catch (error) {
      this.#noteFailure(error);
    }
    if (this.#stop.signal.aborted) return;
    const restMs = this.#woken ? 0 : started + intervalMs - Date.now();
    const delayMs = Math.min(intervalMs, Math.max(0, restMs));
    this.#timer = setTimeout(() => this.start(), delayMs);
  }

  #noteSuccess(): void {
    const { name, log } = this.#options;
    if (this.#failure) log.info({ loop: name, failedRounds: this.#failure.rounds }, 'rounds succeed again');
    this.#failure = undefined;
  }

  #noteFailure(error: unknown): void {
    const { name, log, errors } = this.#options;
    const reason = error instanceof Error ? error.message : '';
    const same = this.#failure?.reason === reason ? this.#failure : undefined;
    const rounds = (this.#failure?.rounds ?? 0) + 1;
    const now = Date.now();
    const isDue = !same || now >= same.loggedAt + REMINDER_MS;
    if (isDue) {
      log.error({ loop: name, failedRounds: rounds, err: error }, 'round failed');
      errors?.report(error, { failure: 'round failed', errorId: 'round_failed', loop: name });
    }
    this.#failure = { reason, loggedAt: isDue ? now : same.loggedAt, rounds };
  }
}
