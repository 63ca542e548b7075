import { describe, expect, it } from 'vitest';
import { VERSION } from '../../../src/version.ts';
import { type AppUnderTest, createApp, errorObject, expectEnvelope } from './app-under-test.ts';

const LIMIT = 3;

/** Behind a proxy, so that a request can come from any address. */
function createLimited(): AppUnderTest {
  const forwarding = { useXForwardedFor: true, trustedProxyCidrs: ['127.0.0.0/8'] };
  return createApp('exact', { limits: { failedRequestsPerMinute: LIMIT }, forwarding });
}

/** Sends as a stranger, until after the limit; the statuses. */
async function flood(api: AppUnderTest, url: string, options: FloodOptions = {}): Promise<number[]> {
  const { method = 'GET', address = '192.0.2.1', token, version = VERSION } = options;
  const statuses = [];
  for (let count = 0; count <= LIMIT; count++) {
    const headers = {
      'x-forwarded-for': address,
      'draupnir-version': version,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    statuses.push((await api.app.inject({ method, url, headers })).statusCode);
  }
  return statuses;
}

interface FloodOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'HEAD';
  address?: string;
  token?: string;
  version?: string;
}

describe('strangers', () => {
  it.each([
    ['without a token', '/images', 401, {}],
    ['with a wrong token', '/images', 401, { token: 'mallory' }],
    ['with a wrong version', '/images', 400, { version: '0.0.1' }],
    ['who ask for what is not there', '/wp-login.php', 404, {}],
    ['who use a method that is none there', '/images', 405, { method: 'PUT' }],
    ['who start to sign in', '/authenticate?state=x', 503, {}],
    ['who come back from signing in', '/oauth_callback?state=x', 503, {}],
    ['who wait for a token', '/access_tokens', 400, { method: 'POST' }],
    ['who only look at headers', '/images', 401, { method: 'HEAD' }],
  ] as const)('%s are refused beyond the limit', async (_who, url, status, options) => {
    const api = createLimited();
    expect(await flood(api, url, options)).toEqual([status, status, status, 429]);
  });

  it('are told when to come back, in the shape of every error', async () => {
    const api = createLimited();
    await flood(api, '/images');
    const answer = await api.app.inject({ url: '/images', headers: { 'x-forwarded-for': '192.0.2.1' } });
    expectEnvelope(answer);
    const seconds = Number(answer.headers['retry-after']);
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(60);
    const detail = `too many requests without a valid token from your address; try again in ${seconds} s`;
    expect(answer.json()).toEqual(errorObject('too_many_requests', 429, 'Too Many Requests', detail));
  });

  it('are asked about no more beyond the limit', async () => {
    const api = createLimited();
    await flood(api, '/images', { token: 'mallory' });
    expect(api.authenticator.lookedUp).toHaveLength(LIMIT);
  });

  it('are counted by address, and in IPv6 by network', async () => {
    const api = createLimited();
    await flood(api, '/images', { address: '2001:db8:1:2::1' });
    expect((await flood(api, '/images', { address: '2001:db8:1:2:ffff::9' }))[0]).toBe(429);
    expect((await flood(api, '/images', { address: '2001:db8:1:3::1' }))[0]).toBe(401);
    expect((await flood(api, '/images', { address: '192.0.2.1' }))[0]).toBe(401);
    expect((await flood(api, '/images', { address: '192.0.2.2' }))[0]).toBe(401);
    // Many others come in between.
    expect((await flood(api, '/images', { address: '192.0.2.1' }))[0]).toBe(429);
  });

  it('may ask for the health of the server as often as they like', async () => {
    const api = createLimited();
    await flood(api, '/images');
    expect(await flood(api, '/health_check')).toEqual([200, 200, 200, 200]);
  });
});

describe('whoever shows a valid token', () => {
  it('is never refused, also from an address that is refused otherwise', async () => {
    const api = createLimited();
    await flood(api, '/images');
    expect(await flood(api, '/images', { token: 'ada' })).toEqual([200, 200, 200, 200]);
    expect(await flood(api, '/images/7', { token: 'ada' })).toEqual([404, 404, 404, 404]);
    expect(await flood(api, '/images', { token: 'ada', method: 'POST' })).toEqual([400, 400, 400, 400]);
  });
});
