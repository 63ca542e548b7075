import { DomainError } from '../core/errors.ts';
import { type ClientToken, LoginFailure, type Logins } from '../core/login.ts';

/** Signing in where there is no identity provider, with `environment = "test"`. */
export class NoLogins implements Logins {
  begin(): Promise<string> {
    return Promise.reject(new LoginFailure('disabled'));
  }

  complete(): Promise<string> {
    return Promise.reject(new LoginFailure('disabled'));
  }

  wait(): Promise<ClientToken> {
    return Promise.reject(new DomainError('oauth_error', 'nobody can sign in here'));
  }

  close(): void {
    // Nobody waits.
  }
}
