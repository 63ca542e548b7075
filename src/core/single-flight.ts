/**
 * Runs at most one operation per key: a call for a key whose operation is under way joins it and gets its outcome.
 * Operations belong to the server, not to the request that started them.
 */
export class SingleFlight<K, T> {
  readonly #running = new Map<K, Promise<T>>();

  run(key: K, operation: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running) return running;
    const started = operation().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }

  has(key: K): boolean {
    return this.#running.has(key);
  }

  /** Resolves when all operations of this moment have ended, however they ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }
}
