import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../../src/version.ts';
import type { Fault } from '../support/google.ts';
import { type ApiServer, type ApiServerOptions, useApiServer } from './support/api-server.ts';

/** The one answer for whatever goes wrong at the browser. */
const OAUTH_ERROR = {
  id: 'bad_request',
  status: '400',
  code: 'bad_request',
  title: 'OAuth Error',
  detail: 'There was some oauth error',
  source: {},
};

/** Deadline where the provider never answers; long enough for what is to succeed on a busy machine. */
const SLOW_MS = 1000;

const createState = (): string => randomBytes(16).toString('hex');

const api = useApiServer();
let server: ApiServer;
async function start(options: ApiServerOptions = {}): Promise<void> {
  server = await api.start(options);
}

describe('a sign-in', () => {
  it('gives the client a token of ours, with which it is known by the account', async () => {
    await start();
    const state = createState();
    const waiting = await server.startWaiting(state);
    const page = await server.request('GET', await server.consent(state));
    expect(page.status).toBe(200);
    expect(page.body).toContain('You are signed in');
    expect(page.body).toContain('<script>window.close()</script>');

    const answer = await waiting.answer;
    expect(answer.status).toBe(201);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const token = JSON.parse(answer.body) as Record<string, string>;
    expect(token).toEqual({
      access_token: expect.stringMatching(/^drp_[\w-]{43}$/) as unknown,
      token_type: 'Bearer',
      refresh_token: expect.stringMatching(/^drp_[\w-]{43}$/) as unknown,
      expiry: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as unknown,
    });
    expect(token['access_token']).not.toBe(token['refresh_token']);
    expect((await server.request('GET', '/images', { token: token['refresh_token'] ?? '' })).status).toBe(
      200,
    );
    // The other value opens nothing.
    expect((await server.request('GET', '/images', { token: token['access_token'] ?? '' })).status).toBe(401);
  });

  it('keeps of the tokens a hash and a sealed box, and shows none to the log', async () => {
    await start();
    const token = await server.signIn(createState());
    await server.request('GET', '/images', { token });
    const [google = ''] = server.google.grants;
    expect(google).toMatch(/^1\/\//);
    const rows = JSON.stringify(
      await server.query(`SELECT s.*, encode(google_refresh_token, 'escape') AS text FROM sessions s`),
    );
    expect(rows).toContain('ada@example.com');
    for (const secret of [token, google, server.google.clientSecret]) {
      expect(rows).not.toContain(secret);
      expect(server.log.join('\n')).not.toContain(secret);
    }
  });

  it('sends the browser to Google for lasting access to the address, with PKCE', async () => {
    await start();
    const state = createState();
    const answer = await server.request('GET', `/authenticate?state=${state}`);
    expect(answer.status).toBe(302);
    const location = new URL(answer.headers.get('location') ?? '');
    expect(location.origin + location.pathname).toBe(server.google.registration.authUrl);
    expect(Object.fromEntries(location.searchParams)).toEqual({
      access_type: 'offline',
      prompt: 'consent',
      scope: 'email',
      response_type: 'code',
      client_id: server.google.clientId,
      redirect_uri: server.google.registration.redirectUrl,
      state,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as unknown,
      code_challenge_method: 'S256',
    });
  });

  it('works when the browser is faster than the client', async () => {
    await start();
    const state = createState();
    await server.request('GET', await server.consent(state));
    server.now += 59_000;
    expect((await server.waitForToken(state)).status).toBe(201);
  });

  it('forgets what no client came for', async () => {
    await start({ loginWaitMs: 100 });
    const state = createState();
    await server.request('GET', await server.consent(state));
    server.now += 101;
    const answer = await server.waitForToken(state);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([400, OAUTH_ERROR]);
    expect(await server.query('SELECT FROM sessions')).toHaveLength(0);
  });

  it('ends with the oauth error when nobody comes, and late consent is told to start again', async () => {
    await start({ loginWaitMs: 50 });
    const state = createState();
    const back = await server.consent(state);
    const answer = await server.waitForToken(state);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([400, OAUTH_ERROR]);
    expect((await server.request('GET', back)).status).toBe(400);
    expect(server.google.requests).not.toContain('/token authorization_code');
  });

  it('keeps two people apart', async () => {
    await start();
    const [one, two] = [createState(), createState()];
    const waiting = [await server.startWaiting(one), await server.startWaiting(two)];
    const backOne = await server.consent(one);
    server.google.account = { email: 'bob@example.com', verified: true };
    const backTwo = await server.consent(two);
    await server.request('GET', backTwo);
    await server.request('GET', backOne);
    const tokens = (await Promise.all(waiting.map(({ answer }) => answer))).map(
      ({ body }) => (JSON.parse(body) as { refresh_token: string }).refresh_token,
    );
    const callers = await Promise.all(tokens.map((token) => server.identity.authenticator.identify(token)));
    expect(callers.map((caller) => caller?.email)).toEqual(['ada@example.com', 'bob@example.com']);
  });

  it('lets a link be opened twice before it is used', async () => {
    await start();
    const state = createState();
    const waiting = await server.startWaiting(state);
    const first = await server.consent(state);
    await server.consent(state);
    expect((await server.request('GET', first)).status).toBe(200);
    expect((await waiting.answer).status).toBe(201);
  });

  it('lets a client come back that lost its connection', async () => {
    await start();
    const state = createState();
    const hangUp = new AbortController();
    const lost = await server.startWaiting(state, hangUp.signal);
    const back = await server.consent(state);
    hangUp.abort();
    await expect(lost.answer).rejects.toThrow();
    await expect.poll(() => server.waits.get(state)?.aborted).toBe(true);
    const waiting = await server.startWaiting(state);
    await server.request('GET', back);
    expect((await waiting.answer).status).toBe(201);
  });
});

describe('a state', () => {
  it.each([
    ['missing', ''],
    ['empty', '?state='],
    ['short', '?state=0123456789abcde'],
    ['without entropy', `?state=${'ab'.repeat(20)}`],
    ['a number of the original client', '?state=1298498081'],
    ['too long', `?state=${'0123456789abcdef'.repeat(17)}`],
    ['with markup', `?state=${encodeURIComponent('<script>alert(1)</script>')}`],
    ['given twice', '?state=0123456789abcdef&state=0123456789abcdef'],
    ['broken', '?state=%E0%A4%A'],
  ])('that is %s starts nothing', async (_, query) => {
    await start();
    const answer = await server.request('GET', `/authenticate${query}`);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.body).not.toContain('<script>');
    expect(server.google.requests).toEqual([]);
  });

  it('of the original client is taken when the configuration says so', async () => {
    await start({ acceptShortStates: true });
    expect(await server.signIn('1298498081')).toMatch(/^drp_/);
  });

  it('cannot be used twice, nor guessed, and the client that waits is not disturbed', async () => {
    await start();
    const [used, waitedFor] = [createState(), createState()];
    const waiting = await server.startWaiting(waitedFor);
    const back = await server.consent(waitedFor);
    const replay = await server.consent(used);
    expect((await server.request('GET', replay)).status).toBe(200);

    // Replayed, with its code and with a fresh one; guessed; one for which nobody went to /authenticate.
    const fresh = new URL(back, 'http://x').searchParams.get('code') ?? '';
    for (const path of [
      replay,
      `/oauth_callback?state=${used}&code=${encodeURIComponent(fresh)}`,
      `/oauth_callback?state=${createState()}&code=x`,
      '/oauth_callback?state=&code=x',
      '/oauth_callback?code=x',
      '/oauth_callback',
      `/oauth_callback?state=${used}&error=access_denied`,
    ]) {
      const answer = await server.request('GET', path);
      expect([path, answer.status]).toEqual([path, 400]);
    }
    expect((await server.request('GET', `/authenticate?state=${used}`)).status).toBe(400);

    expect((await server.request('GET', back)).status).toBe(200);
    expect((await waiting.answer).status).toBe(201);
  });

  it('that only a client has named is not valid at the callback', async () => {
    await start({ loginWaitMs: 300 });
    const state = createState();
    const waiting = await server.startWaiting(state);
    expect((await server.request('GET', `/oauth_callback?state=${state}&code=x`)).status).toBe(400);
    expect(server.google.requests).toEqual([]);
    expect((await waiting.answer).status).toBe(400);
  });

  it('is valid for some minutes', async () => {
    await start();
    const [early, late] = [createState(), createState()];
    const backs = [await server.consent(early), await server.consent(late)];
    server.now += 5 * 60_000 - 1;
    expect((await server.request('GET', backs[0] ?? '')).status).toBe(200);
    server.now += 1;
    expect((await server.request('GET', backs[1] ?? '')).status).toBe(400);
  });

  it('is too old after some minutes also while a client waits', async () => {
    await start();
    const state = createState();
    const waiting = await server.startWaiting(state);
    const back = await server.consent(state);
    server.now += 5 * 60_000;
    expect((await server.request('GET', back)).status).toBe(400);
    server.identity.logins.close();
    expect((await waiting.answer).status).toBe(503);
  });

  it('gives its token to one client only', async () => {
    await start();
    const state = createState();
    const first = await server.startWaiting(state);
    const back = await server.consent(state);
    const second = await server.waitForToken(state);
    expect([second.status, JSON.parse(second.body)]).toEqual([400, OAUTH_ERROR]);
    await server.request('GET', back);
    expect((await first.answer).status).toBe(201);
    expect((await server.waitForToken(state)).status).toBe(400);
    expect(await server.query('SELECT FROM sessions')).toHaveLength(1);
  });

  it('does not use up memory: the oldest goes, but never one that a client waits for', async () => {
    await start({ maxLogins: 20 });
    const state = createState();
    const waiting = await server.startWaiting(state);
    const back = await server.consent(state);
    const forgotten = await server.consent(createState());
    for (let round = 0; round < 25; round++) {
      expect((await server.request('GET', `/authenticate?state=${createState()}`)).status).toBe(302);
    }
    expect((await server.request('GET', forgotten)).status).toBe(400);
    expect((await server.request('GET', back)).status).toBe(200);
    expect((await waiting.answer).status).toBe(201);
  });

  it('is refused with 503 when too many clients wait', async () => {
    await start({ maxLogins: 5 });
    const waiting = [];
    for (let client = 0; client < 5; client++) waiting.push(await server.startWaiting(createState()));
    expect((await server.request('GET', `/authenticate?state=${createState()}`)).status).toBe(503);
    const refused = await server.waitForToken(createState());
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(JSON.parse(refused.body)).toMatchObject({ id: 'too_many_logins', status: '503' });
    // A shutdown sends them away at once.
    server.identity.logins.close();
    const answers = await Promise.all(waiting.map(({ answer }) => answer));
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);
  });
});

describe('a sign-in that fails', () => {
  interface Failure {
    name: string;
    status: number;
    text: string;
    arrange: () => void;
  }
  const withFault = (endpoint: 'token' | 'tokeninfo', fault: Fault, status: number): Failure => ({
    name: `${endpoint} ${fault}`,
    status,
    text: status === 504 ? 'did not answer in time' : 'could not sign you in',
    arrange: () => {
      server.google.faults[endpoint] = fault;
    },
  });
  const failures: Failure[] = [
    {
      name: 'consent denied',
      status: 403,
      text: 'did not consent',
      arrange: () => {
        server.google.consents = false;
      },
    },
    {
      name: 'no refresh token',
      status: 422,
      text: 'https://myaccount.google.com/connections',
      arrange: () => {
        server.google.givesRefreshToken = false;
      },
    },
    {
      name: 'another domain',
      status: 403,
      text: 'may not use Draupnir',
      arrange: () => {
        server.google.account = { email: 'x@evilexample.com', verified: true };
      },
    },
    {
      name: 'an address nobody verified',
      status: 403,
      text: 'may not use Draupnir',
      arrange: () => {
        server.google.account = { email: 'ada@example.com', verified: false };
      },
    },
    {
      name: 'a token made for somebody else',
      status: 403,
      text: 'may not use Draupnir',
      arrange: () => {
        server.google.audience = 'another-client';
      },
    },
    ...(['down', 'error', 'garbage', 'empty', 'redirect'] as const).flatMap((fault) => [
      withFault('token', fault, 502),
      withFault('tokeninfo', fault, 502),
    ]),
    withFault('token', 'slow', 504),
    withFault('tokeninfo', 'slow', 504),
  ];

  it.each(failures)('is told at the browser and to the client: $name', async ({ status, text, arrange }) => {
    await start(status === 504 ? { providerDeadlineMs: SLOW_MS } : {});
    arrange();
    const state = createState();
    const waiting = await server.startWaiting(state);
    const page = await server.request('GET', await server.consent(state));
    expect(page.status).toBe(status);
    expect(page.body).toContain(text);
    expect(page.body).not.toContain('<script>');
    const answer = await waiting.answer;
    expect([answer.status, JSON.parse(answer.body)]).toEqual([400, OAUTH_ERROR]);
    expect(await server.query('SELECT FROM sessions')).toHaveLength(0);
    expect(server.log.join()).not.toMatch(/ya29|4\/|the-client-secret|"err":"(?!undefined)/);
  });

  it('is told when Google does not know the code', async () => {
    await start();
    const state = createState();
    const waiting = await server.startWaiting(state);
    await server.consent(state);
    const page = await server.request('GET', `/oauth_callback?state=${state}&code=4/wrong`);
    expect([page.status, (await waiting.answer).status]).toEqual([400, 400]);
    expect(page.body).toContain('Google refused the sign-in');
  });

  it('needs a code or an error, and can still be finished without', async () => {
    await start();
    const state = createState();
    const waiting = await server.startWaiting(state);
    const back = await server.consent(state);
    for (const query of ['', '&code=', `&code=${'x'.repeat(3000)}`, '&code=a&code=b']) {
      expect((await server.request('GET', `/oauth_callback?state=${state}${query}`)).status).toBe(400);
    }
    expect((await server.request('HEAD', back)).status).toBe(400);
    expect((await server.request('GET', back)).status).toBe(200);
    expect((await waiting.answer).status).toBe(201);
  });
});

describe('a page', () => {
  it('loads and runs nothing, is kept nowhere and tells its address to nobody', async () => {
    await start();
    const state = createState();
    const good = await server.request('GET', await server.consent(state));
    const bad = await server.request('GET', '/oauth_callback?state=%3Cb%3E&error=%3Cscript%3E');
    for (const { headers, body } of [good, bad]) {
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('draupnir-version')).toBe(VERSION);
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
      );
      expect(body).not.toContain('<b>');
    }
  });

  it('is answered 405 to another method', async () => {
    await start();
    for (const path of ['/authenticate', '/oauth_callback']) {
      expect((await server.request('POST', path, { body: {} })).status).toBe(405);
    }
    expect((await server.request('GET', '/access_tokens')).status).toBe(405);
  });
});

describe('POST /access_tokens', () => {
  it.each([
    ['nothing', undefined],
    ['what is not JSON', '{'],
    ['no object', '"x"'],
    ['no attributes', { data: {} }],
    ['no state', { data: { attributes: {} } }],
    ['a state that is a number', { data: { attributes: { state: 5 } } }],
  ])('answers 400 to %s', async (_, body) => {
    await start();
    const answer = await server.request('POST', '/access_tokens', { body });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ title: 'Invalid JSON' });
  });

  it.each(['', 'short', '1298498081', '<script>alert(1)</script>', 'é'.repeat(20)])(
    'answers the oauth error to the state %j',
    async (state) => {
      await start();
      const answer = await server.waitForToken(state);
      expect([answer.status, JSON.parse(answer.body)]).toEqual([400, OAUTH_ERROR]);
    },
  );

  it('asks for a version', async () => {
    await start();
    const answer = await server.request('POST', '/access_tokens', {
      headers: { 'draupnir-version': '' },
      body: {},
    });
    expect(JSON.parse(answer.body)).toMatchObject({ id: 'missing_api_version_header' });
  });
});

describe('environment "test"', () => {
  it('never asks Google', async () => {
    await start({ environment: 'test' });
    const token = 'the-integration-access-token';
    expect((await server.request('GET', '/images', { token })).status).toBe(200);
    expect((await server.request('GET', '/images', { token: server.google.grant() })).status).toBe(401);
    const state = createState();
    expect((await server.request('GET', `/authenticate?state=${state}`)).status).toBe(503);
    expect((await server.request('GET', `/oauth_callback?state=${state}&code=x`)).status).toBe(503);
    expect((await server.waitForToken(state)).status).toBe(400);
    expect(server.identity.cleaner).toBeUndefined();
    expect(server.google.requests).toEqual([]);
  });
});
