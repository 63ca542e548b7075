import type { Authenticator, Caller } from '../core/caller.ts';
import { DomainError } from '../core/errors.ts';
import { type IdentityProvider, type ProviderAccount, ProviderFailure } from '../core/identity-provider.ts';
import type { Sealer } from '../core/instance.ts';
import type { Log } from '../core/log.ts';
import type { Session, SessionStore } from '../core/session.ts';
import { SingleFlight } from '../core/single-flight.ts';
import { openGrant, sealSession } from './grant-box.ts';
import type { IdentityCache } from './identity-cache.ts';
import type { LookupBudget } from './lookup-budget.ts';
import { hashToken, isSessionToken } from './session-token.ts';
import { findTrustedEmail, type Trust } from './trusted-account.ts';

/** Ours have 47 characters; Google's refresh tokens have 512 at most (Google, "Using OAuth 2.0", "Refresh token size"). */
const MAX_TOKEN_LENGTH = 512;

export interface SessionAuthenticatorParts {
  provider: IdentityProvider;
  sessions: SessionStore;
  sealer: Sealer;
  cache: IdentityCache;
  trust: Trust;
  /** Tokens that were never seen, of which the provider is asked. */
  lookups: LookupBudget;
  log: Log;
}

/**
 * Recognises developers: by a token of ours, or by the provider's refresh token that a client of the original holds. Either
 * way the provider is asked, once per token and cache period. A refresh token that comes in becomes a session too.
 */
export class SessionAuthenticator implements Authenticator {
  readonly #parts: SessionAuthenticatorParts;
  readonly #asking = new SingleFlight<string, Caller | undefined>();

  constructor(parts: SessionAuthenticatorParts) {
    this.#parts = parts;
  }

  async identify(token: string, { onlyKnown = false } = {}): Promise<Caller | undefined> {
    if (token.length > MAX_TOKEN_LENGTH) return undefined;
    const key = hashToken(token).toString('hex');
    const { cache, sessions } = this.#parts;
    if (onlyKnown && !cache.find(key) && !(await sessions.findByTokenHash(hashToken(token))))
      return undefined;
    // Looked up after the wait: another request with this token may have been answered meanwhile.
    const known = cache.find(key);
    if (known) return known.caller;
    return this.#asking.run(key, () => this.#ask(token, key));
  }

  async #ask(token: string, key: string): Promise<Caller | undefined> {
    const { sessions, sealer, cache, trust } = this.#parts;
    const session = await sessions.findByTokenHash(hashToken(token));
    if (!session && isSessionToken(token)) return undefined;
    if (!session) this.#parts.lookups.take();
    const grant = session ? this.#open(session) : token;
    const account = grant === undefined ? undefined : await this.#findAccount(grant);
    const email = account && findTrustedEmail(account, trust);
    if (email === undefined) {
      cache.refuse(key);
      return undefined;
    }
    const sessionId = session?.id ?? (await sessions.insert(sealSession(sealer, token, email, token)));
    const means = isSessionToken(token) ? 'session' : 'google_token';
    const caller: Caller = { role: 'developer', email, sessionId, means };
    cache.accept(key, caller);
    return caller;
  }

  #open(session: Session): string | undefined {
    try {
      return openGrant(this.#parts.sealer, session);
    } catch (error) {
      // The key file was replaced, or the record tampered with: signing in again helps either way.
      this.#parts.log.error({ sessionId: session.id, err: error }, 'cannot open the grant of a session');
      return undefined;
    }
  }

  /** The account of a grant; undefined when the provider refuses it for good. */
  async #findAccount(grant: string): Promise<ProviderAccount | undefined> {
    try {
      return await this.#parts.provider.getAccount(grant);
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error;
      if (error.kind === 'invalid_grant') return undefined;
      this.#parts.log.warn({ reason: error.reason }, 'identity provider failed');
      const hint = 'the identity provider cannot be asked who you are; try again in a moment';
      throw new DomainError('identity_provider_unavailable', hint, { cause: error });
    }
  }
}
