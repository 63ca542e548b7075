import { DomainError } from '../core/errors.ts';

/** Milliseconds. */
const WINDOW_MS = 60_000;
/** Far more than the people of one server have clients of the original, far less than Google would mind. */
const MAX_PER_WINDOW = 600;

export interface LookupBudgetOptions {
  /** Most look-ups in a minute. */
  max?: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** How often the provider is asked about tokens that were never seen: a flood of them must not become a flood there. */
export class LookupBudget {
  readonly #max: number;
  readonly #now: () => number;
  #since = 0;
  #taken = 0;

  constructor(options: LookupBudgetOptions = {}) {
    this.#max = options.max ?? MAX_PER_WINDOW;
    this.#now = options.now ?? Date.now;
  }

  /** Takes one look-up. Throws `identity_provider_unavailable` when this minute has none left. */
  take(): void {
    const now = this.#now();
    if (now - this.#since >= WINDOW_MS || now < this.#since) {
      this.#since = now;
      this.#taken = 0;
    }
    if (this.#taken >= this.#max) {
      const reason = 'too many unknown tokens are being looked up; try again in a minute, or sign in again';
      throw new DomainError('identity_provider_unavailable', reason);
    }
    this.#taken += 1;
  }
}
