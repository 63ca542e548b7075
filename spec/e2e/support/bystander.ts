import { setTimeout as delay } from 'node:timers/promises';
import type { Instance } from './api.ts';
import { query } from './instance-client.ts';

/** How often it is asked. */
const INTERVAL_MS = 100;

/** An instance that is asked again and again, with a new connection each time, while another one is attacked. */
export class Bystander {
  readonly instance: Instance;
  readonly #stopping = new AbortController();
  readonly #asking: Promise<void>;
  #answers = 0;
  readonly #failures: unknown[] = [];

  constructor(instance: Instance) {
    this.instance = instance;
    this.#asking = this.#ask();
  }

  /** Stops asking; resolves to what came of it. */
  async stop(): Promise<{ answers: number; failures: unknown[] }> {
    this.#stopping.abort();
    await this.#asking;
    return { answers: this.#answers, failures: this.#failures };
  }

  async #ask(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        await query(this.instance, 'SELECT count(*) FROM customers');
        this.#answers += 1;
      } catch (error) {
        this.#failures.push(error);
      }
      await delay(INTERVAL_MS);
    }
  }
}
