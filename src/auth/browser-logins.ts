import { createHash, randomBytes } from 'node:crypto';
import { DomainError } from '../core/errors.ts';
import { type IdentityProvider, type NewGrant, ProviderFailure } from '../core/identity-provider.ts';
import type { Sealer } from '../core/instance.ts';
import type { Log } from '../core/log.ts';
import { type Callback, type ClientToken, LoginFailure, type Logins } from '../core/login.ts';
import type { SessionStore } from '../core/session.ts';
import { sealSession } from './grant-box.ts';
import { isStrongState } from './login-state.ts';
import { type Login, LoginTable } from './login-table.ts';
import { createSessionToken } from './session-token.ts';
import { findTrustedEmail, type Trust } from './trusted-account.ts';

export interface BrowserLoginsParts {
  provider: IdentityProvider;
  sessions: SessionStore;
  sealer: Sealer;
  trust: Trust;
  log: Log;
}

/** Times in milliseconds. */
export interface BrowserLoginsOptions {
  /** Take the states of the original's client too, which can be guessed. */
  acceptShortStates?: boolean;
  /** Longest time between the browser's start and its return. */
  consentTtlMs?: number;
  /** How long a client waits, and an outcome waits for its client. */
  waitMs?: number;
  /** Most sign-ins at once. */
  max?: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

const CONSENT_TTL_MS = 5 * 60_000;
const WAIT_MS = 60_000;
const MAX_LOGINS = 1000;
/** Google's have some 75 characters. */
const MAX_CODE_LENGTH = 2048;
/** RFC 7636, section 4.1: 43 characters at least; 256 bits. */
const VERIFIER_BYTES = 32;

/** Sign-ins through a browser. They live in memory: one that a restart interrupts is begun anew by the person. */
export class BrowserLogins implements Logins {
  readonly enabled = true;
  readonly #parts: BrowserLoginsParts;
  readonly #options: Required<BrowserLoginsOptions>;
  readonly #table: LoginTable;

  constructor(parts: BrowserLoginsParts, options: BrowserLoginsOptions = {}) {
    this.#parts = parts;
    const defaults = {
      acceptShortStates: false,
      consentTtlMs: CONSENT_TTL_MS,
      waitMs: WAIT_MS,
      max: MAX_LOGINS,
      now: Date.now,
    };
    this.#options = { ...defaults, ...options };
    this.#table = new LoginTable(this.#options);
  }

  async begin(state: string | undefined): Promise<string> {
    const { acceptShortStates, consentTtlMs, now } = this.#options;
    if (state === undefined || !isStrongState(state, acceptShortStates)) throw new LoginFailure('weak_state');
    const login = this.#table.findOrCreate(state, consentTtlMs);
    if (!login) throw new LoginFailure('busy');
    if (login.completed) throw new LoginFailure('unknown_state');
    if (login.codeVerifier === undefined) {
      // A page that is loaded twice keeps its verifier and its time, so that either tab can be finished.
      login.codeVerifier = randomBytes(VERIFIER_BYTES).toString('base64url');
      login.until = now() + consentTtlMs;
    }
    const challenge = createHash('sha256').update(login.codeVerifier).digest('base64url');
    return this.#parts.provider.getConsentUrl(state, challenge);
  }

  async complete({ state, code, error }: Callback): Promise<string> {
    const login = state === undefined ? undefined : this.#table.find(state);
    const codeVerifier = login?.codeVerifier;
    if (!login || codeVerifier === undefined || login.completed || login.until <= this.#options.now()) {
      throw new LoginFailure('unknown_state');
    }
    if (error === undefined && (code === undefined || code.length > MAX_CODE_LENGTH)) {
      throw new LoginFailure('malformed');
    }
    // Before the first wait: a second callback with this state must find it used.
    login.completed = true;
    try {
      if (error !== undefined) throw new LoginFailure(error === 'access_denied' ? 'denied' : 'unavailable');
      const grant = await this.#exchange(code ?? '', codeVerifier);
      const email = findTrustedEmail(grant.account, this.#parts.trust);
      if (email === undefined) throw new LoginFailure('untrusted', grant.account.email);
      if (!grant.refreshToken) throw new LoginFailure('no_refresh_token', email);
      this.#settle(login, { email, grant });
      return email;
    } catch (failure) {
      this.#settle(login, 'failed');
      throw failure;
    }
  }

  async wait(state: string, signal: AbortSignal): Promise<ClientToken> {
    const { acceptShortStates, waitMs } = this.#options;
    if (!isStrongState(state, acceptShortStates)) throw oauthError();
    const login = this.#table.findOrCreate(state, waitMs);
    if (!login) {
      throw new DomainError(
        'too_many_logins',
        'too many people sign in at the moment; try again in a minute',
      );
    }
    // A second client with the same state gets nothing, and the first one is not disturbed.
    if (login.waiter || login.delivered) throw oauthError();
    const outcome = login.outcome ?? (await this.#waitFor(state, login, signal));
    login.delivered = true;
    delete login.outcome;
    if (outcome === 'failed') throw oauthError();
    return this.#issueToken(outcome.email, outcome.grant);
  }

  close(): void {
    const reason = new DomainError('shutting_down', 'the server is shutting down; sign in again in a moment');
    for (const waiter of this.#table.listWaiters()) waiter.reject(reason);
  }

  async #exchange(code: string, codeVerifier: string): Promise<NewGrant> {
    try {
      return await this.#parts.provider.exchangeCode(code, codeVerifier);
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error;
      this.#parts.log.warn({ reason: error.reason }, 'identity provider failed');
      throw new LoginFailure(error.kind === 'invalid_grant' ? 'refused' : error.kind);
    }
  }

  /** Hands the outcome to the client that waits, or keeps it for one that is about to. */
  #settle(login: Login, outcome: NonNullable<Login['outcome']>): void {
    login.until = this.#options.now() + this.#options.waitMs;
    if (login.waiter) login.waiter.resolve(outcome);
    else login.outcome = outcome;
  }

  async #waitFor(state: string, login: Login, signal: AbortSignal): Promise<NonNullable<Login['outcome']>> {
    const waiter = Promise.withResolvers<NonNullable<Login['outcome']>>();
    login.waiter = waiter;
    const timer = setTimeout(() => {
      // Whoever consents only now must be told to start again, rather than that all is well.
      this.#table.delete(state);
      waiter.reject(oauthError());
    }, this.#options.waitMs);
    // A client that hangs up may come back with its state.
    const leave = (): void => waiter.reject(oauthError());
    signal.addEventListener('abort', leave);
    if (signal.aborted) leave();
    try {
      return await waiter.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
      delete login.waiter;
    }
  }

  async #issueToken(email: string, { refreshToken, expiry }: NewGrant): Promise<ClientToken> {
    const { sessions, sealer, log } = this.#parts;
    if (!refreshToken) throw oauthError();
    const token = createSessionToken();
    const sessionId = await sessions.insert(sealSession(sealer, token, email, refreshToken.reveal()));
    log.info({ sessionId, userEmail: email }, 'signed in');
    // Clients store an access token as well and show its beginning; this one opens nothing.
    return { email, accessToken: createSessionToken(), refreshToken: token, expiry };
  }
}

/** The contract has one answer for all that can go wrong. */
function oauthError(): DomainError {
  return new DomainError('oauth_error', 'the sign-in failed or took too long');
}
