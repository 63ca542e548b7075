import type { OAuth2Client } from 'google-auth-library';
import {
  type IdentityProvider,
  type NewGrant,
  type ProviderAccount,
  ProviderFailure,
} from '../../core/identity-provider.ts';
import { Secret } from '../../core/secret.ts';
import { toProviderFailure } from './provider-failure.ts';

/** The client that is registered at Google, and where Google is. */
export interface GoogleOptions {
  clientId: string;
  clientSecret: Secret;
  redirectUrl: string;
  authUrl: string;
  tokenUrl: string;
  tokeninfoUrl: string;
  /** Longest time for what one method asks, however many requests that takes, in milliseconds. */
  deadlineMs: number;
}

const HOUR_MS = 3_600_000;

/** Google (https://developers.google.com/identity/protocols/oauth2/web-server), or what speaks like it. */
export class GoogleProvider implements IdentityProvider {
  readonly #options: GoogleOptions;

  constructor(options: GoogleOptions) {
    this.#options = options;
  }

  async getConsentUrl(state: string, codeChallenge: string): Promise<string> {
    const parameters = {
      // Without `consent` Google gives a refresh token at the very first sign-in only.
      access_type: 'offline',
      prompt: 'consent',
      scope: 'email',
      state,
      code_challenge: codeChallenge,
      code_challenge_method: 'S256',
    };
    return this.#call((client) => {
      // The library's type wants its own enum for S256, which is the very text.
      return Promise.resolve(
        client.generateAuthUrl(parameters as Parameters<typeof client.generateAuthUrl>[0]),
      );
    });
  }

  exchangeCode(code: string, codeVerifier: string): Promise<NewGrant> {
    return this.#call(async (client) => {
      const { tokens } = await client.getToken({ code, codeVerifier });
      const account = await readAccount(client, tokens.access_token);
      const refreshToken = typeof tokens.refresh_token === 'string' ? tokens.refresh_token : '';
      return {
        account,
        refreshToken: refreshToken === '' ? undefined : new Secret(refreshToken),
        expiry: readExpiry(tokens.expiry_date),
      };
    });
  }

  getAccount(refreshToken: string): Promise<ProviderAccount> {
    return this.#call(async (client) => {
      client.setCredentials({ refresh_token: refreshToken });
      const { token } = await client.getAccessToken();
      return readAccount(client, token);
    });
  }

  /** Runs calls of Google's library within one deadline; nothing it throws gets past here. */
  async #call<T>(run: (client: OAuth2Client) => Promise<T>): Promise<T> {
    // Not AbortSignal.timeout: the library takes that for a reason to try again.
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), this.#options.deadlineMs);
    try {
      // Loaded when first needed: it takes 75 ms, which commands and the start of the server do without.
      const { createOauthClient } = await import('./oauth-client.ts');
      return await run(createOauthClient(this.#options, abort.signal));
    } catch (error) {
      throw error instanceof ProviderFailure ? error : toProviderFailure(error, abort.signal.aborted);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readAccount(client: OAuth2Client, accessToken: unknown): Promise<ProviderAccount> {
  if (typeof accessToken !== 'string' || accessToken === '') throw malformed('token');
  const info: Partial<Record<string, unknown>> = { ...(await client.getTokenInfo(accessToken)) };
  const { email, email_verified: verified, aud: audience } = info;
  if (typeof email !== 'string' || typeof audience !== 'string') throw malformed('tokeninfo');
  // Google writes booleans of tokeninfo as text, against its documentation.
  return { email, audience, emailVerified: verified === true || verified === 'true' };
}

function readExpiry(time: unknown): Date {
  const expiry = new Date(typeof time === 'number' ? time : Number.NaN);
  return Number.isNaN(expiry.getTime()) ? new Date(Date.now() + HOUR_MS) : expiry;
}

function malformed(what: string): ProviderFailure {
  return new ProviderFailure('unavailable', `malformed ${what} answer`);
}
