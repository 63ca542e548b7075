import type { Authenticator, Caller } from '../../../src/core/caller.ts';

/** Three callers, each known by a token that is the caller's name. */
export const CALLERS = {
  upload: { role: 'upload', email: 'upload' },
  ada: { role: 'developer', email: 'ada@example.com' },
  bob: { role: 'developer', email: 'bob@example.com' },
} as const satisfies Record<string, Caller>;

/** Knows the tokens `upload`, `ada` and `bob`; keeps what it was asked. */
export class FakeAuthenticator implements Authenticator {
  readonly asked: string[] = [];
  /** Those that anybody else might be asked about. */
  readonly lookedUp: string[] = [];

  identify(token: string, { onlyKnown = false } = {}): Promise<Caller | undefined> {
    this.asked.push(token);
    if (!onlyKnown) this.lookedUp.push(token);
    return Promise.resolve(
      Object.hasOwn(CALLERS, token) ? CALLERS[token as keyof typeof CALLERS] : undefined,
    );
  }
}
