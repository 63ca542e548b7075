import type { Secret } from './secret.ts';

/** Who the provider says somebody is; nothing of it is checked yet. */
export interface ProviderAccount {
  readonly email: string;
  readonly emailVerified: boolean;
  /** The client the provider's token was made for. */
  readonly audience: string;
}

/** What a sign-in brings. */
export interface NewGrant {
  readonly account: ProviderAccount;
  /** Absent when the provider gave none, as it does when the person had consented before. */
  readonly refreshToken: Secret | undefined;
  /** When the provider's own access token ends. */
  readonly expiry: Date;
}

/**
 * - `invalid_grant`: the provider refuses the code or token for good
 * - `timeout`: no answer within the deadline
 * - `unavailable`: no answer, or one that cannot be used
 */
export type ProviderFailureKind = 'invalid_grant' | 'timeout' | 'unavailable';

/** The provider did not do what it was asked. Holds nothing of the request: neither tokens nor codes. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure';
  readonly kind: ProviderFailureKind;
  /** For the log: a status, a code of RFC 6749 or of the network. */
  readonly reason: string;

  constructor(kind: ProviderFailureKind, reason: string) {
    super(`the identity provider failed: ${reason}`);
    this.kind = kind;
    this.reason = reason;
  }
}

/** An OAuth 2.0 provider (RFC 6749) with PKCE (RFC 7636). Every method but the first throws `ProviderFailure`. */
export interface IdentityProvider {
  /** Where the browser goes to consent; `codeChallenge` is the S256 form of the verifier. */
  getConsentUrl(state: string, codeChallenge: string): Promise<string>;
  /** Changes the code the browser brought back for a grant. */
  exchangeCode(code: string, codeVerifier: string): Promise<NewGrant>;
  /** The account behind a refresh token. */
  getAccount(refreshToken: string): Promise<ProviderAccount>;
}
