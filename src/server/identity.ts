import type pg from 'pg';
import { BrowserLogins } from '../auth/browser-logins.ts';
import { FirstMatch } from '../auth/first-match.ts';
import { GoogleProvider } from '../auth/google/google-provider.ts';
import { IdentityCache } from '../auth/identity-cache.ts';
import { NoLogins } from '../auth/no-logins.ts';
import { LookupBudget } from '../auth/lookup-budget.ts';
import { SessionAuthenticator } from '../auth/session-authenticator.ts';
import { SessionGrants } from '../auth/session-grants.ts';
import { SharedSecretAuthenticator } from '../auth/shared-secret-authenticator.ts';
import { StubAuthenticator } from '../auth/stub-authenticator.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { AuditLog } from '../core/audit-log.ts';
import type { Authenticator } from '../core/caller.ts';
import type { Sealer } from '../core/instance.ts';
import type { Instances } from '../core/instances.ts';
import type { Log } from '../core/log.ts';
import type { Logins } from '../core/login.ts';
import { PgSessionStore } from '../db/session-store.ts';
import { Cleaner } from '../jobs/clean.ts';

/** Contract: an exchange takes 5 s at most; a look-up, which requests wait for, no longer either. */
const PROVIDER_DEADLINE_MS = 5000;

/** Who people are: signing in, recognising them, and noticing that they have left. */
export interface IdentityParts {
  authenticator: Authenticator;
  logins: Logins;
  /** Absent where there is no identity provider. */
  cleaner?: Cleaner;
}

/** Times in milliseconds; by default what the contract says. */
export interface IdentityLimits {
  providerDeadlineMs?: number;
  /** How long a client waits for its person. */
  loginWaitMs?: number;
  /** Most sign-ins at once. */
  maxLogins?: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** Makes these parts. With `environment = "test"` Google is never asked: one fixed token is valid, and nobody has left. */
export function composeIdentity(
  config: ServerConfig,
  parts: { pool: pg.Pool; sealer: Sealer; instances: Instances; audit: AuditLog; log: Log },
  limits: IdentityLimits = {},
): IdentityParts {
  const secret = new SharedSecretAuthenticator(config.sharedSecret);
  if (config.environment === 'test') {
    const stub = new StubAuthenticator(config.trustedUserEmailDomain);
    return { authenticator: new FirstMatch([secret, stub]), logins: new NoLogins('oauth_error') };
  }
  const { sealer, log } = parts;
  const { oauth } = config;
  if (!oauth.enabled) return { authenticator: secret, logins: new NoLogins('sign_in_disabled') };
  const deadlineMs = limits.providerDeadlineMs ?? PROVIDER_DEADLINE_MS;
  const clock = limits.now ? { now: limits.now } : {};
  const provider = new GoogleProvider({ ...oauth, deadlineMs });
  const sessions = new PgSessionStore(parts.pool);
  const cache = new IdentityCache({ ttlMs: oauth.identityCacheMs, ...clock });
  const trust = { clientId: oauth.clientId, domain: config.trustedUserEmailDomain };
  const lookups = new LookupBudget(clock);
  const common = { provider, sessions, sealer, cache, trust, lookups, log };
  return {
    authenticator: new FirstMatch([secret, new SessionAuthenticator(common)]),
    logins: new BrowserLogins(common, {
      acceptShortStates: oauth.acceptShortStates,
      ...(limits.loginWaitMs !== undefined && { waitMs: limits.loginWaitMs }),
      ...(limits.maxLogins !== undefined && { max: limits.maxLogins }),
      ...clock,
    }),
    cleaner: new Cleaner({
      sessions,
      grants: new SessionGrants(common),
      instances: parts.instances,
      audit: parts.audit,
      log,
      revocationGraceMs: config.revocationGraceMs,
      ...clock,
    }),
  };
}
