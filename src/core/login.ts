/** What the client receives for a completed sign-in. Neither token is of any use at the identity provider. */
export interface ClientToken {
  /** Who signed in. */
  readonly email: string;
  readonly accessToken: string;
  /** The bearer token of all further requests. */
  readonly refreshToken: string;
  readonly expiry: Date;
}

/** What the browser brought back from the provider. Absent parts may be anything. */
export interface Callback {
  readonly state: string | undefined;
  readonly code: string | undefined;
  /** Code of RFC 6749, section 4.1.2.1. */
  readonly error: string | undefined;
}

/**
 * Why a sign-in went wrong, as far as the person at the browser should know:
 * - `weak_state`, `unknown_state`: the link is not one a client of ours made, or was used, or is too old
 * - `malformed`: the provider sent neither a code nor an error
 * - `denied`: no consent
 * - `untrusted`: not an account of the trusted domain
 * - `no_refresh_token`: consent given before; it must be taken back first
 * - `refused`: the provider does not know the code
 * - `timeout`, `unavailable`: the provider's fault
 * - `busy`: too many sign-ins at once
 * - `disabled`: there is no provider
 */
export type LoginFailureKind =
  | 'weak_state'
  | 'unknown_state'
  | 'malformed'
  | 'denied'
  | 'untrusted'
  | 'no_refresh_token'
  | 'refused'
  | 'timeout'
  | 'unavailable'
  | 'busy'
  | 'disabled';

/** A sign-in that went wrong at the browser. */
export class LoginFailure extends Error {
  override readonly name = 'LoginFailure';
  readonly kind: LoginFailureKind;
  /** Who tried, where the provider said so. */
  readonly email: string | undefined;

  constructor(kind: LoginFailureKind, email?: string) {
    super(`sign-in failed: ${kind}`);
    this.kind = kind;
    this.email = email;
  }
}

/** Signing in: a client waits with a state it made up, while a browser goes through consent with the same state. */
export interface Logins {
  /** False where no user can sign in. */
  readonly enabled: boolean;
  /** The browser starts; resolves to the consent page's address. Throws `LoginFailure`. */
  begin(state: string | undefined): Promise<string>;
  /** The browser comes back; resolves to the address of who signed in. Throws `LoginFailure`, of which the waiting client is told too. */
  complete(callback: Callback): Promise<string>;
  /**
   * The client waits; ends early when the signal fires. Throws the DomainErrors `oauth_error`, which names no reason,
   * `too_many_logins` and `sign_in_disabled`.
   */
  wait(state: string, signal: AbortSignal): Promise<ClientToken>;
  /** Sends all waiting clients away. */
  close(): void;
}
