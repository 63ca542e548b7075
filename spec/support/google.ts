import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A Google account, and what Google says of it. */
export interface GoogleAccount {
  email: string;
  verified: boolean;
}

/** How an endpoint misbehaves: `down` cuts the connection, `slow` never answers, `garbage` answers what is not JSON. */
export type Fault = 'down' | 'slow' | 'error' | 'garbage' | 'empty' | 'redirect';

interface Code {
  account: GoogleAccount;
  challenge: string;
  redirectUri: string;
}

/**
 * An OAuth server on loopback that speaks Google's protocol: consent that can be denied, codes for single use bound to a
 * PKCE challenge, refresh tokens that can be revoked, and a tokeninfo that writes its booleans as text.
 */
export class FakeGoogle {
  readonly clientId = 'client-1.apps.example.com';
  readonly clientSecret = 'the-client-secret';
  /** Who sits at the browser. */
  account: GoogleAccount = { email: 'ada@example.com', verified: true };
  consents = true;
  givesRefreshToken = true;
  /** Overrides `aud` of tokeninfo. */
  audience = this.clientId;
  /** Answer of the token endpoint to a refresh, other than RFC 6749's success. */
  refreshError: { status: number; error: string } | undefined;
  readonly faults: Record<'token' | 'tokeninfo', Fault | undefined> = {
    token: undefined,
    tokeninfo: undefined,
  };
  /** Runs before a request is answered. */
  beforeAnswer: () => Promise<unknown> = () => Promise.resolve();
  /** Requests as `path grant_type`, in order. */
  readonly requests: string[] = [];
  readonly #codes = new Map<string, Code>();
  readonly #grants = new Map<string, GoogleAccount>();
  readonly #accessTokens = new Map<string, GoogleAccount>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(): Promise<FakeGoogle> {
    const google = new FakeGoogle();
    await new Promise<void>((resolve) => google.#server.listen(0, '127.0.0.1', resolve));
    return google;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Endpoints and registration, as the server's configuration has them. */
  get registration() {
    return {
      clientId: this.clientId,
      redirectUrl: 'https://draupnir.example.com/oauth_callback',
      authUrl: `${this.url}/auth`,
      tokenUrl: `${this.url}/token`,
      tokeninfoUrl: `${this.url}/tokeninfo`,
    };
  }

  /** Makes a refresh token, as one that a client holds already. */
  grant(account = this.account): string {
    const token = `1//${randomBytes(24).toString('base64url')}`;
    this.#grants.set(token, account);
    return token;
  }

  revoke(token: string): void {
    this.#grants.delete(token);
  }

  /** All access tokens that were given out. */
  get accessTokens(): string[] {
    return [...this.#accessTokens.keys()];
  }

  /** All grants that are good. */
  get grants(): string[] {
    return [...this.#grants.keys()];
  }

  revokeAll(): void {
    this.#grants.clear();
  }

  /** What the browser does: follows the link to the consent page; resolves to where it is sent back. */
  async consent(url: string): Promise<URL> {
    const response = await fetch(url, { redirect: 'manual' });
    const location = response.headers.get('location');
    if (location === null) throw new Error(`no redirect: ${response.status} ${await response.text()}`);
    return new URL(location);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.url);
    const body = new URLSearchParams(await text(request));
    this.requests.push(`${url.pathname} ${body.get('grant_type') ?? ''}`.trim());
    await this.beforeAnswer();
    const fault = url.pathname === '/token' ? this.faults.token : this.faults.tokeninfo;
    if (url.pathname === '/auth') this.#authorise(url, response);
    else if (fault) misbehave(fault, request, response);
    else if (url.pathname === '/token' && request.method === 'POST') this.#giveToken(body, response);
    else if (url.pathname === '/tokeninfo') this.#describe(request, response);
    else answer(response, 404, { error: 'not_found' });
  }

  #authorise({ searchParams: asked }: URL, response: ServerResponse): void {
    const complete =
      asked.get('client_id') === this.clientId &&
      asked.get('response_type') === 'code' &&
      asked.get('scope') === 'email' &&
      asked.get('code_challenge_method') === 'S256' &&
      asked.get('access_type') === 'offline' &&
      asked.get('prompt') === 'consent';
    if (!complete) {
      answer(response, 400, { error: 'invalid_request' });
      return;
    }
    const back = new URL(asked.get('redirect_uri') ?? '');
    back.searchParams.set('state', asked.get('state') ?? '');
    if (this.consents) {
      const code = `4/${randomBytes(24).toString('base64url')}`;
      this.#codes.set(code, {
        account: this.account,
        challenge: asked.get('code_challenge') ?? '',
        redirectUri: asked.get('redirect_uri') ?? '',
      });
      back.searchParams.set('code', code);
    } else {
      back.searchParams.set('error', 'access_denied');
    }
    response.writeHead(302, { location: back.href }).end();
  }

  #giveToken(body: URLSearchParams, response: ServerResponse): void {
    if (body.get('client_id') !== this.clientId || body.get('client_secret') !== this.clientSecret) {
      answer(response, 401, {
        error: 'invalid_client',
        error_description: 'The OAuth client was not found.',
      });
      return;
    }
    if (body.get('grant_type') === 'refresh_token') this.#refresh(body, response);
    else this.#exchange(body, response);
  }

  #exchange(body: URLSearchParams, response: ServerResponse): void {
    const code = this.#codes.get(body.get('code') ?? '');
    this.#codes.delete(body.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    if (!code || code.challenge !== challenge || code.redirectUri !== body.get('redirect_uri')) {
      answer(response, 400, { error: 'invalid_grant', error_description: 'Malformed auth code.' });
      return;
    }
    const refresh = this.givesRefreshToken ? { refresh_token: this.grant(code.account) } : {};
    answer(response, 200, { ...this.#makeAccessToken(code.account), ...refresh });
  }

  #refresh(body: URLSearchParams, response: ServerResponse): void {
    const account = this.#grants.get(body.get('refresh_token') ?? '');
    if (this.refreshError) {
      answer(response, this.refreshError.status, { error: this.refreshError.error });
    } else if (account) {
      answer(response, 200, this.#makeAccessToken(account));
    } else {
      const description = 'Token has been expired or revoked.';
      answer(response, 400, { error: 'invalid_grant', error_description: description });
    }
  }

  #makeAccessToken(account: GoogleAccount): object {
    const accessToken = `ya29.${randomBytes(24).toString('base64url')}`;
    this.#accessTokens.set(accessToken, account);
    return { access_token: accessToken, expires_in: 3599, scope: 'email', token_type: 'Bearer' };
  }

  #describe(request: IncomingMessage, response: ServerResponse): void {
    const account = this.#accessTokens.get((request.headers.authorization ?? '').replace('Bearer ', ''));
    if (!account) {
      answer(response, 400, { error: 'invalid_token', error_description: 'Invalid Value' });
      return;
    }
    answer(response, 200, {
      azp: this.audience,
      aud: this.audience,
      sub: '110169484474386276334',
      scope: 'https://www.googleapis.com/auth/userinfo.email',
      exp: '1500003599',
      expires_in: '3599',
      email: account.email,
      email_verified: String(account.verified),
      access_type: 'offline',
    });
  }
}

function misbehave(fault: Fault, request: IncomingMessage, response: ServerResponse): void {
  if (fault === 'down') request.socket.destroy();
  else if (fault === 'error') answer(response, 500, { error: 'internal_failure' });
  else if (fault === 'garbage')
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>');
  else if (fault === 'empty') answer(response, 200, {});
  else if (fault === 'redirect') response.writeHead(307, { location: '/elsewhere' }).end();
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}
