import { describe, expect, it } from 'vitest';
import { VERSION } from '../../../src/version.ts';
import { createApp, errorObject, expectEnvelope, INVALID_JSON, UNAUTHORIZED } from './app-under-test.ts';

const ROUTES = [
  { method: 'GET', url: '/images' },
  { method: 'POST', url: '/images' },
  { method: 'GET', url: '/images/1' },
  { method: 'DELETE', url: '/images/1' },
  { method: 'POST', url: '/images/1/done' },
  { method: 'GET', url: '/instances' },
  { method: 'POST', url: '/instances' },
  { method: 'GET', url: '/instances/1' },
  { method: 'DELETE', url: '/instances/1' },
  { method: 'POST', url: '/instances/1/credentials' },
] as const;

const MISSING_VERSION = errorObject(
  'missing_api_version_header',
  400,
  'Missing API Version Header',
  'No API version specified in Draupnir-Version header',
);

describe.each(ROUTES)('$method $url', ({ method, url }) => {
  const broken = method === 'POST' ? { payload: '{"broken', headers: { 'content-type': 'text/x' } } : {};

  it('asks for the version first, before token and body', async () => {
    const { app, authenticator, steps } = createApp();
    const response = await app.inject({ method, url, ...broken });
    expect(response.json()).toEqual(MISSING_VERSION);
    expect(response.statusCode).toBe(400);
    expectEnvelope(response);
    expect(authenticator.asked).toEqual([]);
    expect(steps.taken).toEqual([]);
  });

  it('says which version it does not serve', async () => {
    const { send } = createApp();
    const response = await send('upload', {
      method,
      url,
      ...broken,
      headers: { 'draupnir-version': '5.0.0' },
    });
    expect(response.json()).toEqual(
      errorObject(
        'invalid_api_version',
        400,
        'Invalid API Version',
        `Specified API version (5.0.0) does not match server version (${VERSION})`,
      ),
    );
    expectEnvelope(response);
  });

  it('asks for the token next, before the body', async () => {
    const { send, steps } = createApp();
    const response = await send(null, { method, url, ...broken });
    expect(response.json()).toEqual(UNAUTHORIZED);
    expect(response.headers['www-authenticate']).toBe('Bearer realm="draupnir", sign_in="disabled"');
    expect(response.statusCode).toBe(401);
    expectEnvelope(response);
    expect(steps.taken).toEqual([]);
  });
});

describe('a token', () => {
  it.each(['Bearer ada', 'bearer ada', 'BEARER   ada'])('is read from %j', async (authorization) => {
    const { send } = createApp();
    expect((await send(null, { url: '/images', headers: { authorization } })).statusCode).toBe(200);
  });

  it.each([
    'ada',
    'Bearer',
    'Bearer ',
    'Bearer ada bob',
    'Bearerada',
    'Basic ada',
    'Bearer mallory',
    'Bearer ada,bob',
  ])('is not found in %j', async (authorization) => {
    const { send } = createApp();
    const response = await send(null, { url: '/images', headers: { authorization } });
    expect(response.json()).toEqual(UNAUTHORIZED);
  });

  it('is of nobody when the one behind it has no name', async () => {
    const { send, authenticator, steps } = createApp();
    authenticator.identify = () => Promise.resolve({ role: 'developer', email: '' });
    const response = await send('ada', { url: '/instances' });
    expect(response.json()).toEqual(UNAUTHORIZED);
    expect(steps.taken).toEqual([]);
  });

  it('is not guessed when the provider fails', async () => {
    const { send, authenticator, log } = createApp();
    authenticator.identify = () => Promise.reject(new Error('provider is down'));
    const response = await send('ada', { url: '/images' });
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('provider');
    expect(log.at('error')).toHaveLength(1);
  });
});

describe('the version check', () => {
  it('takes an empty header for a missing one, and does not fall for a doubled one', async () => {
    const { send } = createApp();
    const empty = await send('ada', { url: '/images', headers: { 'draupnir-version': '' } });
    expect(empty.json()).toEqual(MISSING_VERSION);
    const doubled = await send('ada', {
      url: '/images',
      headers: { 'draupnir-version': `${VERSION}, ${VERSION}` },
    });
    expect(doubled.json()).toMatchObject({ id: 'invalid_api_version' });
  });

  it('serves older clients when it is set to compatible', async () => {
    const [major, minor] = VERSION.split('.').map(Number);
    const ask = async (check: 'exact' | 'compatible', version: string): Promise<number> => {
      const { send } = createApp(check);
      const response = await send('ada', { url: '/images', headers: { 'draupnir-version': version } });
      return response.statusCode;
    };
    expect(await ask('compatible', `${major ?? 0}.0.99`)).toBe(200);
    expect(await ask('exact', `${major ?? 0}.0.99`)).toBe(400);
    expect(await ask('compatible', `${major ?? 0}.${(minor ?? 0) + 1}.0`)).toBe(400);
  });

  it('is not asked for by the health check, and neither is a token', async () => {
    const { app } = createApp();
    const response = await app.inject({ url: '/health_check' });
    expect(response.statusCode).toBe(200);
    expect(response.body).toBe('{"status":"ok"}');
    expectEnvelope(response);
  });
});

describe('a body', () => {
  it.each([
    ['POST', '/images'],
    ['POST', '/instances'],
  ] as const)('that is malformed is refused by %s %s', async (method, url) => {
    const { send } = createApp();
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    const bodies = ['', ' ', '{', 'null', '1', '"x"', '[]', '{}', '{"data":null}', '{"data":{}}', deep];
    for (const payload of bodies) {
      const response = await send('upload', { method, url, payload });
      expect(response.json(), payload.slice(0, 50)).toEqual(INVALID_JSON);
      expect(response.statusCode).toBe(400);
      expectEnvelope(response);
    }
  });

  it.each(['__proto__', 'constructor'])('that reaches for %s is refused', async (key) => {
    const { send, steps } = createApp();
    const value = key === 'constructor' ? '{"prototype":{"polluted":true}}' : '{"polluted":true}';
    const bodies = [
      `{"${key}":${value},"data":{"attributes":{"image_id":1}}}`,
      `{"data":{"attributes":{"image_id":1,"${key}":${value}}}}`,
      `{"data":{"attributes":{"image_id":1,"\\u005f${key.slice(1)}":${value}}}}`.replace(
        '\\u005fonstructor',
        key,
      ),
    ];
    for (const payload of bodies) {
      expect((await send('ada', { method: 'POST', url: '/instances', payload })).json()).toEqual(
        INVALID_JSON,
      );
    }
    expect(steps.taken).toEqual([]);
    expect({}).not.toHaveProperty('polluted');
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
    'nonsense',
    ';',
    undefined,
  ])('is read as JSON whatever its content type says: %s', async (type) => {
    const { send } = createApp();
    const headers = type === undefined ? {} : { 'content-type': type };
    const payload = '{"data":{"attributes":{"image_id":1}}}';
    const response = await send('ada', { method: 'POST', url: '/instances', headers, payload });
    expect(response.json()).toMatchObject({ title: 'Image Not Found' });
    const malformed = await send('ada', { method: 'POST', url: '/instances', headers, payload: '{' });
    expect(malformed.json()).toEqual(INVALID_JSON);
  });

  it('of more than 4 MiB is refused', async () => {
    const { send, steps } = createApp();
    const response = await send('upload', {
      method: 'POST',
      url: '/images',
      payload: ' '.repeat(4 * 1024 * 1024 + 1),
    });
    expect(response.statusCode).toBe(413);
    expect(response.json()).toEqual(
      errorObject('body_too_large', 413, 'Body Too Large', 'a request body has at most 4 MiB'),
    );
    expectEnvelope(response);
    expect(steps.taken).toEqual([]);
  });
});
