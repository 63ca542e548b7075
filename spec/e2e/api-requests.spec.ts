import { describe, expect, it } from 'vitest';
import { type Answer, type ApiRequest, VERSION } from './support/api.ts';
import { ERRORS, IMPOSSIBLE_IDS } from './support/contract.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

const KNOWN_ROUTES = [
  ['GET', '/images'],
  ['POST', '/images'],
  ['GET', '/images/1'],
  ['DELETE', '/images/1'],
  ['POST', '/images/1/done'],
  ['GET', '/instances'],
  ['POST', '/instances'],
  ['GET', '/instances/1'],
  ['DELETE', '/instances/1'],
] as const;

const MIB = 1024 * 1024;

async function send(method: string, path: string, request?: ApiRequest): Promise<Answer> {
  const answer = await server.api.send(method, path, request);
  expect(answer.headers['content-type'], `${method} ${path}`).toBe('application/json');
  expect(answer.headers['draupnir-version'], `${method} ${path}`).toBe(VERSION);
  return answer;
}

describe('health check', () => {
  it.each([false, true])('asks for neither version nor token (plain HTTP: %s)', async (insecure) => {
    const answer = await send('GET', '/health_check', { as: 'none', version: null, insecure });
    expect(answer).toMatchObject({ status: 200, json: { status: 'ok' } });
  });
});

describe.each(KNOWN_ROUTES)('%s %s', (method, path) => {
  it('asks for a version before it asks for a token', async () => {
    const answer = await send(method, path, { as: 'none', version: null });
    expect(answer).toMatchObject({ status: 400, json: ERRORS.missingVersion });
  });

  it('refuses another version, naming both', async () => {
    const answer = await send(method, path, { as: 'none', version: '1.2.3' });
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({
      id: 'invalid_api_version',
      status: '400',
      code: 'invalid_api_version',
      title: 'Invalid API Version',
      detail: `Specified API version (1.2.3) does not match server version (${VERSION})`,
      source: {},
    });
  });

  it.each([
    ['no token', 'none'],
    ['an unknown token', { authorization: 'Bearer wrong' }],
    ['a token without its scheme', { authorization: 'the-integration-access-token' }],
    ['another scheme', { authorization: 'Basic dXBsb2FkOnNlY3JldA==' }],
  ] as const)('refuses %s', async (_what, as) => {
    const answer = await send(method, path, { as });
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual(ERRORS.unauthorized);
  });
});

describe('unknown routes', () => {
  it.each([
    '/',
    '/nothing',
    '/images/1/undone',
    '/imagesx',
    '/instances/1/2',
    '/images/%zz',
    `/images/${'9'.repeat(300)}`,
  ])('answers %s with an error body', async (path) => {
    const answer = await send('GET', path);
    expect(answer.status).toBe(404);
    expect(answer.json).toEqual(ERRORS.notFound);
  });

  it.each([
    ['PUT', '/images', 'GET, HEAD, POST'],
    ['DELETE', '/instances', 'GET, HEAD, POST'],
    ['POST', '/images/1', 'GET, HEAD, DELETE'],
    ['GET', '/images/1/done', 'POST'],
    ['PATCH', '/instances/1', 'GET, HEAD, DELETE'],
    ['POST', '/health_check', 'GET, HEAD'],
  ])('answers %s %s with the methods that are allowed', async (method, path, allowed) => {
    const answer = await send(method, path);
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe(allowed);
    expect(answer.json).toMatchObject({
      id: 'method_not_allowed',
      code: 'method_not_allowed',
      status: '405',
      source: {},
    });
  });
});

describe('ids that nothing can have', () => {
  const routes = [
    ['GET', '/images/ID'],
    ['DELETE', '/images/ID'],
    ['POST', '/images/ID/done'],
    ['GET', '/instances/ID'],
    ['DELETE', '/instances/ID'],
  ] as const;
  const cases = routes.flatMap(([method, path]) =>
    IMPOSSIBLE_IDS.map((id) => [method, path.replace('ID', id)] as const),
  );

  it.each(cases)('%s %s is not found', async (method, path) => {
    const answer = await send(method, path, { as: 'upload' });
    expect(answer.status).toBe(404);
    expect(answer.json).toEqual(ERRORS.notFound);
  });

  it.each(routes)('%s %s is not found for an id that nothing has', async (method, path) => {
    const answer = await send(method, path.replace('ID', '999999999'), { as: 'upload' });
    expect(answer.status).toBe(404);
    expect(answer.json).toEqual(ERRORS.notFound);
  });
});

describe('request bodies', () => {
  const malformed = ['{', 'null', '[]', '"x"', '{"data": {}}', '', '{"data": {"attributes": null}}'];
  const types = ['application/json', 'text/plain', 'application/xml', undefined];

  it.each(malformed.flatMap((body) => types.map((type) => [body, type] as const)))(
    'answers %j sent as %s with 400 to both POST routes',
    async (body, type) => {
      for (const path of ['/images', '/instances']) {
        const headers = type === undefined ? {} : { 'Content-Type': type };
        const answer = await send('POST', path, { as: 'upload', body, headers });
        expect(answer.status, path).toBe(400);
        expect(answer.json, path).toEqual(ERRORS.invalidJson);
      }
    },
  );

  it('refuses keys that reach for a prototype', async () => {
    const body = '{"data": {"attributes": {"image_id": 1, "__proto__": {"x": 1}}}}';
    expect((await send('POST', '/instances', { body })).json).toEqual(ERRORS.invalidJson);
  });

  it('takes 4 MiB and no more', async () => {
    // The announcement decides: a body that nobody reads could break the connection before the answer is read.
    const headers = { 'Content-Length': String(4 * MIB + 1) };
    const tooLong = await send('POST', '/images', { as: 'upload', headers });
    expect(tooLong.status).toBe(413);
    expect(tooLong.json).toMatchObject({
      id: 'body_too_large',
      code: 'body_too_large',
      status: '413',
      source: {},
    });
    // Just long enough, and then not JSON.
    const fits = await send('POST', '/images', { as: 'upload', body: Buffer.alloc(4 * MIB, ' ') });
    expect(fits.json).toEqual(ERRORS.invalidJson);
  });
});

describe('tokens', () => {
  it('are taken whatever the case of their scheme', async () => {
    const answer = await send('GET', '/images', {
      as: { authorization: 'bEARER the-integration-access-token' },
    });
    expect(answer.status).toBe(200);
  });
});
