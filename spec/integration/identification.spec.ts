import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ApiServer, type ApiServerOptions, SHARED_SECRET, useApiServer } from './support/api-server.ts';

const createState = (): string => randomBytes(16).toString('hex');
const CACHE_MS = 5 * 60_000;

const api = useApiServer();
let server: ApiServer;
async function start(options: ApiServerOptions = {}): Promise<void> {
  server = await api.start(options);
}

/** Status of a request with that token. */
async function look(token: string, path = '/instances'): Promise<number> {
  return (await server.request('GET', path, { token })).status;
}
const countRefreshes = (): number =>
  server.google.requests.filter((line) => line === '/token refresh_token').length;

describe('a client with a refresh token of Google', () => {
  it('goes on working, and its token is stored nowhere in clear', async () => {
    await start();
    const token = server.google.grant();
    expect(await look(token)).toBe(200);
    const sessions = await server.query<{ user_email: string }>('SELECT * FROM sessions');
    expect(sessions.map((row) => row.user_email)).toEqual(['ada@example.com']);
    expect(
      JSON.stringify(await server.query(`SELECT encode(google_refresh_token, 'escape') FROM sessions`)),
    ).not.toContain(token);
    server.now += CACHE_MS;
    expect(await look(token)).toBe(200);
    expect(await server.query('SELECT FROM sessions')).toHaveLength(1);
  });

  it.each([
    ['of another domain', { email: 'x@evilexample.com', verified: true }, 401],
    ['of a domain below', { email: 'x@sub.example.com', verified: true }, 401],
    ['with two signs', { email: 'x@evil.com@example.com', verified: true }, 401],
    ['that nobody verified', { email: 'ada@example.com', verified: false }, 401],
    ['in other case', { email: 'Ada@EXAMPLE.com', verified: true }, 200],
  ])('is known by an account %s: %j → %i', async (_, account, status) => {
    await start();
    expect(await look(server.google.grant(account))).toBe(status);
  });

  it('is nobody when the token was made for another client', async () => {
    await start();
    server.google.audience = 'another-client';
    expect(await look(server.google.grant())).toBe(401);
  });
});

describe('the identity of a token', () => {
  it('is asked for once in the cache period, however many requests come at once', async () => {
    await start();
    const token = await server.signIn(createState());
    expect(await Promise.all(Array.from({ length: 10 }, () => look(token)))).toEqual(Array(10).fill(200));
    expect(countRefreshes()).toBe(1);
    server.now += CACHE_MS - 1;
    await look(token);
    expect(countRefreshes()).toBe(1);
    server.now += 1;
    expect(await look(token)).toBe(200);
    expect(countRefreshes()).toBe(2);
  });

  it('is refused once its grant was taken back, as soon as the cache forgets', async () => {
    await start();
    const token = await server.signIn(createState());
    expect(await look(token)).toBe(200);
    server.google.revokeAll();
    expect(await look(token)).toBe(200);
    server.now += CACHE_MS;
    expect(await look(token)).toBe(401);
  });

  it('stays refused for some seconds without asking', async () => {
    await start();
    expect([await look('1//unknown'), await look('1//unknown')]).toEqual([401, 401]);
    expect(countRefreshes()).toBe(1);
    server.now += 5000;
    expect(await look('1//unknown')).toBe(401);
    expect(countRefreshes()).toBe(2);
  });

  it('is no question to Google when it is one of ours or the shared secret', async () => {
    await start();
    expect(await look(`drp_${'A'.repeat(43)}`)).toBe(401);
    expect(await look(SHARED_SECRET)).toBe(200);
    expect(server.google.requests).toEqual([]);
  });

  it('is lost with the key, and signing in helps', async () => {
    await start();
    const token = await server.signIn(createState());
    await server.query(`UPDATE sessions SET google_refresh_token = decode(repeat('01', 60), 'hex')`);
    expect(await look(token)).toBe(401);
    expect(server.log.join()).toContain('cannot open the grant of a session');
    expect(await look(await server.signIn(createState()))).toBe(200);
  });
});

describe('a provider in trouble', () => {
  it.each(['down', 'slow', 'error', 'garbage', 'empty', 'redirect'] as const)(
    'that is %s keeps those known going and answers 503 to others, never 401',
    async (fault) => {
      await start(fault === 'slow' ? { providerDeadlineMs: 1000 } : {});
      const known = await server.signIn(createState());
      const other = await server.signIn(createState());
      expect(await look(known)).toBe(200);
      for (const endpoint of ['token', 'tokeninfo'] as const) {
        server.google.faults[endpoint] = fault;
        expect(await look(known)).toBe(200);
        for (const token of [other, server.google.grant()]) {
          const answer = await server.request('GET', '/images', { token });
          expect(answer.status).toBe(503);
          expect(answer.headers.get('retry-after')).toBe('5');
          expect(JSON.parse(answer.body)).toMatchObject({
            id: 'identity_provider_unavailable',
            status: '503',
          });
        }
        server.google.faults[endpoint] = undefined;
      }
      // Nothing of that is remembered.
      expect(await look(other)).toBe(200);
      expect(server.google.requests.join()).not.toContain('/elsewhere');
      expect(server.log.join()).not.toMatch(/drp_|1\/\/|the-client-secret/);
    },
  );

  it.each([
    [401, 'invalid_client'],
    [403, 'access_denied'],
    [429, 'rate_limited'],
    [500, 'invalid_grant'],
    [503, 'temporarily_unavailable'],
  ])('that answers %i %s has not said that somebody left', async (status, error) => {
    await start();
    server.google.refreshError = { status, error };
    const token = server.google.grant();
    expect(await look(token)).toBe(503);
    server.google.refreshError = undefined;
    expect(await look(token)).toBe(200);
  });
});

describe('a malformed Authorization header', () => {
  it.each([
    '',
    'Bearer',
    'Bearer ',
    'bearer',
    'Basic dXNlcjpwYXNz',
    'Bearer a b',
    'Bearer\tx',
    'Bearer,x',
    'Token x',
    SHARED_SECRET,
    `Bearer${SHARED_SECRET}`,
    `Bearer ${SHARED_SECRET} x`,
    'Bearer \u00e9',
    `Bearer ${'x'.repeat(513)}`,
    `Bearer ${'x'.repeat(8000)}`,
    'Bearer drp_',
    'Bearer undefined',
    'Bearer ../../etc/passwd',
    "Bearer ' OR 1=1 --",
    'Bearer %00',
  ])('is answered 401: %j', async (authorization) => {
    await start();
    const answer = await server.request('GET', '/images', { headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body)).toMatchObject({ id: 'unauthorized' });
    // What cannot be a token is no question to Google.
    if (authorization.length > 500) expect(server.google.requests).toEqual([]);
  });

  it('is looked at after the version', async () => {
    await start();
    const answer = await server.request('GET', '/images', { headers: { 'draupnir-version': '0.0.1' } });
    expect(answer.status).toBe(400);
    expect(server.google.requests).toEqual([]);
  });
});

describe('a flood of unknown tokens', () => {
  it('does not become one at Google, and keeps nobody out who is known', async () => {
    await start({ failedRequestsPerMinute: 10 });
    const known = await server.signIn(createState());
    const old = server.google.grant();
    expect(await look(old)).toBe(200);
    // Known, but to be asked about again.
    server.now += CACHE_MS;
    const before = countRefreshes();
    const statuses = [];
    for (let count = 0; count < 30; count++) statuses.push(await look(`1//garbage-${count}`));
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10);
    expect(statuses.slice(10)).toEqual(Array(20).fill(429));
    expect(countRefreshes() - before).toBeLessThanOrEqual(10);
    expect([await look(known), await look(old), await look(SHARED_SECRET)]).toEqual([200, 200, 200]);
  });

  it('from many addresses is cut off as well, with 503 for what could be somebody', async () => {
    await start();
    const known = await server.signIn(createState());
    const before = countRefreshes();
    const statuses: number[] = [];
    // Fewer at a time than one address may have connections.
    for (let batch = 0; batch < 13; batch++) {
      const tokens = Array.from({ length: 50 }, (_, index) => `1//garbage-${batch}-${index}`);
      statuses.push(...(await Promise.all(tokens.map((token) => look(token)))));
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(600);
    expect(statuses.filter((status) => status === 503)).toHaveLength(50);
    expect(countRefreshes() - before).toBe(600);
    expect(await look(known)).toBe(200);
    server.now += 60_000;
    expect(await look('1//garbage')).toBe(401);
  });
});

describe('the audit log', () => {
  it('tells by what somebody was recognised', async () => {
    await start();
    const session = await server.signIn(createState());
    for (const token of [session, server.google.grant(), SHARED_SECRET]) await look(token, '/instances/1');
    await look('1//garbage');
    expect(server.audit.entries.slice(-4)).toMatchObject([
      { user: 'ada@example.com', means: 'session', action: 'instance.read' },
      { user: 'ada@example.com', means: 'google_token', action: 'instance.read' },
      { user: 'upload', means: 'shared_secret', action: 'instance.read' },
      { user: 'anonymous', means: 'none', action: 'GET /instances', reason: 'unauthorized' },
    ]);
  });
});
