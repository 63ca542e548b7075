import type { Authenticator, Caller } from '../core/caller.ts';

/** Asks several authenticators in order; the first that knows the token wins. */
export class FirstMatch implements Authenticator {
  readonly #authenticators: readonly Authenticator[];

  constructor(authenticators: readonly Authenticator[]) {
    this.#authenticators = authenticators;
  }

  async identify(token: string, options?: { onlyKnown?: boolean }): Promise<Caller | undefined> {
    for (const authenticator of this.#authenticators) {
      const caller = await authenticator.identify(token, options);
      if (caller) return caller;
    }
    return undefined;
  }
}
