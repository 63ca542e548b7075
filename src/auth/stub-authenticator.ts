import type { Authenticator, Caller } from '../core/caller.ts';

/** The one token that is valid with `environment = "test"` (contract: HTTP API, "Authentication"). */
const TOKEN = 'the-integration-access-token';

/** Stands for the identity provider in tests of clients. */
export class StubAuthenticator implements Authenticator {
  readonly #caller: Caller;

  /** `domain` starts with `@`. */
  constructor(domain: string) {
    this.#caller = { role: 'developer', email: `integration-test${domain}`, means: 'test_token' };
  }

  identify(token: string): Promise<Caller | undefined> {
    return Promise.resolve(token === TOKEN ? this.#caller : undefined);
  }
}
