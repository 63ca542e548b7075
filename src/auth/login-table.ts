import type { NewGrant } from '../core/identity-provider.ts';

/** What came of a sign-in: who it is and their grant, or that it failed. */
export type LoginOutcome = { email: string; grant: NewGrant } | 'failed';

/** One sign-in, under the state the client made up. */
export interface Login {
  /** When it is forgotten, in milliseconds since the epoch, unless somebody waits. */
  until: number;
  /** PKCE verifier; there once the browser has begun. */
  codeVerifier?: string;
  /** The browser has come back: the state is used up. */
  completed: boolean;
  outcome?: LoginOutcome;
  /** The client that waits: given the outcome, or an error by which it is sent away. */
  waiter?: PromiseWithResolvers<LoginOutcome>;
  /** A client was given the outcome: no other gets it. */
  delivered: boolean;
}

export interface LoginTableOptions {
  /** Most sign-ins under way, waiting clients included. */
  max: number;
  now: () => number;
}

/** Sign-ins under way, a bounded number of them. */
export class LoginTable {
  readonly #logins = new Map<string, Login>();
  readonly #options: LoginTableOptions;

  constructor(options: LoginTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#logins.size;
  }

  find(state: string): Login | undefined {
    this.#forgetOld();
    return this.#logins.get(state);
  }

  /** The sign-in of a state, a new one when there is none; undefined when there are too many. */
  findOrCreate(state: string, ttlMs: number): Login | undefined {
    const found = this.find(state);
    if (found) return found;
    if (this.#logins.size >= this.#options.max && !this.#dropOldest()) return undefined;
    const login: Login = { until: this.#options.now() + ttlMs, completed: false, delivered: false };
    this.#logins.set(state, login);
    return login;
  }

  delete(state: string): void {
    this.#logins.delete(state);
  }

  /** Those that wait. */
  listWaiters(): PromiseWithResolvers<LoginOutcome>[] {
    return [...this.#logins.values()].flatMap((login) => login.waiter ?? []);
  }

  /** Makes room, but never at the cost of one that a client waits for: a flood must not send people away. */
  #dropOldest(): boolean {
    for (const [state, login] of this.#logins) {
      if (login.waiter) continue;
      this.#logins.delete(state);
      return true;
    }
    return false;
  }

  #forgetOld(): void {
    const now = this.#options.now();
    for (const [state, login] of this.#logins) {
      if (login.until <= now && !login.waiter) this.#logins.delete(state);
    }
  }
}
