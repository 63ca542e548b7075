/**
 * Runs an operation that takes up everything there is, for many callers at once. Never two runs at a time; whoever asks while
 * one is under way waits for the next, which they all share. So a caller always gets the outcome of a run that began after
 * the call.
 */
export class CoalescedRun {
  readonly #operation: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(operation: () => Promise<void>) {
    this.#operation = operation;
  }

  /** Whether a run is under way or asked for. */
  get busy(): boolean {
    return (this.#next ?? this.#running) !== undefined;
  }

  run(): Promise<void> {
    if (this.#next) return this.#next;
    if (!this.#running) return this.#start();
    const start = (): Promise<void> => {
      this.#next = undefined;
      return this.#start();
    };
    // How the run before ends is the matter of its own callers.
    this.#next = this.#running.then(start, start);
    return this.#next;
  }

  #start(): Promise<void> {
    this.#running = this.#operation().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
