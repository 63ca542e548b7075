import { DomainError } from '../core/errors.ts';
import { type ClientToken, LoginFailure, type Logins } from '../core/login.ts';

/** Signing in where there is no identity provider: with `environment = "test"`, or with `oauth.enabled = false`. */
export class NoLogins implements Logins {
  readonly enabled = false;
  readonly #refusal: 'oauth_error' | 'sign_in_disabled';

  /** What a client that waits for a sign-in is refused with. */
  constructor(refusal: 'oauth_error' | 'sign_in_disabled') {
    this.#refusal = refusal;
  }

  begin(): Promise<string> {
    return Promise.reject(new LoginFailure('disabled'));
  }

  complete(): Promise<string> {
    return Promise.reject(new LoginFailure('disabled'));
  }

  wait(): Promise<ClientToken> {
    const reason =
      'users cannot sign in at this server: its one token is the shared secret, Token.RefreshToken in ~/.draupnir';
    return Promise.reject(new DomainError(this.#refusal, reason));
  }

  close(): void {
    // Nobody waits.
  }
}
