/** Runs the operations on one key one after the other, in the order they were asked for; those on different keys at once. */
export class KeyedLock<K> {
  readonly #last = new Map<K, Promise<unknown>>();

  async run<T>(key: K, operation: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const running = before ? before.then(operation, operation) : operation();
    this.#last.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#last.get(key) === running) this.#last.delete(key);
    }
  }

  /** Resolves when all operations of this moment have ended, however they ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
