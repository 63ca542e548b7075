import type { Log } from './log.ts';

/** Whether something works, as its last try told. Logged when that changes, not at every try. */
export class Condition {
  readonly #name: string;
  readonly #log: Log;
  #state: 'untried' | 'working' | 'failing' = 'untried';

  /** The name is for the log. */
  constructor(name: string, log: Log) {
    this.#name = name;
    this.#log = log;
  }

  get isWorking(): boolean {
    return this.#state === 'working';
  }

  /** Runs one try and remembers how it ended; throws what it throws. */
  async try<T>(operation: () => Promise<T>): Promise<T> {
    try {
      const result = await operation();
      if (this.#state === 'failing') this.#log.info({ part: this.#name }, 'works again');
      this.#state = 'working';
      return result;
    } catch (error) {
      if (this.#state !== 'failing') this.#log.error({ part: this.#name, err: error }, 'fails');
      this.#state = 'failing';
      throw error;
    }
  }
}
