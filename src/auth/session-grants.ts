import { type IdentityProvider, ProviderFailure } from '../core/identity-provider.ts';
import type { Sealer } from '../core/instance.ts';
import type { Log } from '../core/log.ts';
import type { GrantChecker, GrantState, OriginalGrant, Session, SessionStore } from '../core/session.ts';
import { openGrant, sealSession } from './grant-box.ts';
import type { IdentityCache } from './identity-cache.ts';

export interface SessionGrantsParts {
  provider: IdentityProvider;
  sessions: SessionStore;
  sealer: Sealer;
  cache: IdentityCache;
  log: Log;
}

/** Asks the provider about the grants behind sessions. */
export class SessionGrants implements GrantChecker {
  readonly #parts: SessionGrantsParts;

  constructor(parts: SessionGrantsParts) {
    this.#parts = parts;
  }

  async check(session: Session): Promise<GrantState> {
    const { provider, sealer, cache, log } = this.#parts;
    let grant: string;
    try {
      grant = openGrant(sealer, session);
    } catch (error) {
      log.error({ sessionId: session.id, err: error }, 'cannot open the grant of a session');
      return 'unknown';
    }
    try {
      await provider.getAccount(grant);
      return 'valid';
    } catch (error) {
      // Google answers invalid_grant both for a suspended user and for a revoked token. Either way the instances must
      // go. A network failure is neither: keep them and try again next round.
      if (error instanceof ProviderFailure && error.kind === 'invalid_grant') {
        // Access ends now, not when the cache forgets.
        cache.refuse(session.tokenHash.toString('hex'));
        return 'revoked';
      }
      const reason = error instanceof ProviderFailure ? error.reason : 'unexpected failure';
      log.warn({ sessionId: session.id, reason }, 'identity provider failed');
      return 'unknown';
    }
  }

  adopt({ userEmail, refreshToken }: OriginalGrant): Promise<number> {
    const { sessions, sealer } = this.#parts;
    return sessions.insert(sealSession(sealer, refreshToken, userEmail, refreshToken));
  }
}
