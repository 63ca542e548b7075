import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api, type ApiRequest, VERSION, withToken } from '../support/api.ts';
import { ERRORS, expectAnswer, IMPOSSIBLE_IDS, ownError, versionError } from '../support/contract.ts';
import { DEVELOPER, getInstallation, SECRET } from '../support/installation.ts';
import { queryMetadata } from '../support/metadata.ts';
import { Server } from '../support/server.ts';
import { writeServerConfig } from '../support/server-config.ts';
import { useServer } from '../support/use-server.ts';

/** Contract: HTTP API, "Envelope", "Errors", "Version header": what holds for every route, over HTTPS and HTTP. */
const server = useServer();

const MIB = 1024 * 1024;
const LISTENERS = [
  ['https', false],
  ['http', true],
] as const;

/** Method, path, whether it asks for a version, whether for a token, and the methods of its path. */
const ROUTES = [
  ['GET', '/health_check', false, false, 'GET, HEAD'],
  ['GET', '/images', true, true, 'GET, HEAD, POST'],
  ['POST', '/images', true, true, 'GET, HEAD, POST'],
  ['GET', '/images/1', true, true, 'GET, HEAD, PATCH, DELETE'],
  ['DELETE', '/images/1', true, true, 'GET, HEAD, PATCH, DELETE'],
  ['POST', '/images/1/done', true, true, 'POST'],
  ['GET', '/instances', true, true, 'GET, HEAD, POST'],
  ['POST', '/instances', true, true, 'GET, HEAD, POST'],
  ['GET', '/instances/1', true, true, 'GET, HEAD, DELETE'],
  ['DELETE', '/instances/1', true, true, 'GET, HEAD, DELETE'],
  ['POST', '/access_tokens', true, false, 'POST'],
  ['GET', '/authenticate', false, false, 'GET, HEAD'],
  ['GET', '/oauth_callback', false, false, 'GET, HEAD'],
] as const;
const VERSIONED = ROUTES.filter(([, , version]) => version);
const AUTHENTICATED = ROUTES.filter(([, , , token]) => token);

const BAD_VERSIONS = [
  '1.2.3',
  '5.3.6',
  `v${VERSION}`,
  `${VERSION}.0`,
  VERSION.split('.').slice(0, 2).join('.'),
  `${VERSION}, ${VERSION}`,
  '*',
  '<script>',
  'x'.repeat(5000),
];

const BAD_AUTHORIZATIONS: [string, string][] = [
  ['no scheme', DEVELOPER],
  ['the secret without scheme', SECRET],
  ['another scheme', 'Basic dXBsb2FkOnNlY3JldA=='],
  ['the secret by another scheme', `Basic ${SECRET}`],
  ['a scheme alone', 'Bearer'],
  ['an empty token', 'Bearer '],
  ['an unknown token', 'Bearer wrong'],
  ['the beginning of the secret', `Bearer ${SECRET.slice(0, -1)}`],
  ['the secret and more', `Bearer ${SECRET}x`],
  ['the secret in capitals', `Bearer ${SECRET.toUpperCase()}`],
  ['two tokens', `Bearer ${SECRET} ${SECRET}`],
  ['two headers in one', `Bearer wrong, Bearer ${SECRET}`],
  ['the scheme joined to the token', `Bearer${SECRET}`],
  ['quotes', `Bearer "${SECRET}"`],
  ['a tab', `Bearer\t${SECRET}`],
  ['bytes beyond ASCII', 'Bearer \u00e9\u00ff'],
  ['SQL', "Bearer ' OR 1=1 --"],
  ['a path', 'Bearer ../../etc/passwd'],
  ['an escape', 'Bearer %00'],
  ['a token of ours that nobody has', `Bearer drp_${'A'.repeat(43)}`],
  ['a long one', `Bearer ${'x'.repeat(10_000)}`],
];

describe.each(LISTENERS)('%s', (_scheme, insecure) => {
  const send = (method: string, path: string, request: ApiRequest = {}) =>
    server.api.send(method, path, { insecure, ...request });

  describe.each(VERSIONED)('%s %s', (method, path) => {
    it.each([
      ['no token', 'none'],
      ['a wrong token', withToken('wrong')],
      ['a right token', 'upload'],
    ] as const)('asks one with %s for a version first', async (_who, as) => {
      const refused = { status: 400, body: ERRORS.missingVersion };
      expectAnswer(await send(method, path, { as, version: null }), refused);
      expectAnswer(await send(method, path, { as, version: '' }), refused);
      const wrong = { status: 400, body: versionError('1.2.3') };
      expectAnswer(await send(method, path, { as, version: '1.2.3' }), wrong);
    });

    it('looks at the body after that', async () => {
      const answer = await send(method, path, { as: 'none', version: null, body: '{' });
      expectAnswer(answer, { status: 400, body: ERRORS.missingVersion });
    });
  });

  it.each(BAD_VERSIONS)('refuses version %s, naming both', async (version) => {
    expectAnswer(await send('GET', '/images', { as: 'none', version }), {
      status: 400,
      body: versionError(version),
    });
  });

  describe.each(AUTHENTICATED)('%s %s', (method, path) => {
    it('asks for a token', async () => {
      const expected = { status: 401, body: ERRORS.unauthorized };
      expectAnswer(await send(method, path, { as: 'none' }), expected);
      // A token comes before the body and before the question whether there is such a thing.
      expectAnswer(await send(method, path.replace('1', '0x10'), { as: 'none', body: '{' }), expected);
    });

    it.each(BAD_AUTHORIZATIONS)('refuses %s', async (_what, authorization) => {
      expectAnswer(await send(method, path, { as: { authorization } }), {
        status: 401,
        body: ERRORS.unauthorized,
      });
    });
  });

  it('takes a token whatever the case of its scheme', async () => {
    expect((await send('GET', '/images', { as: { authorization: `bEARER ${DEVELOPER}` } })).status).toBe(200);
  });

  it.each([
    '/',
    '/nothing',
    '/imagesx',
    '/Images',
    '//images',
    '/images/1/undone',
    '/instances/1/2',
    '/images/%zz',
    '/images/%c0%ae',
    `/images/${'9'.repeat(300)}`,
    '/favicon.ico',
  ])('knows no %s, with or without version and token', async (path) => {
    const expected = { status: 404, body: ERRORS.notFound };
    for (const method of ['GET', 'POST', 'DELETE']) {
      expectAnswer(await send(method, path), expected);
      expectAnswer(await send(method, path, { as: 'none', version: null }), expected);
    }
  });

  const paths = new Map(ROUTES.map(([, path, , , allow]) => [path, allow]));
  it.each([...paths])('answers other methods of %s with the allowed ones, %s', async (path, allow) => {
    const known = allow.split(', ');
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']) {
      if (known.includes(method)) continue;
      for (const request of [{}, { as: 'none', version: null }] as const) {
        expectAnswer(await send(method, path, request), {
          status: 405,
          body: ownError('method_not_allowed', 405),
          headers: { allow },
        });
      }
    }
  });

  const BY_ID = ROUTES.filter(([, path]) => path.includes('/1'));
  it.each(
    BY_ID.flatMap(([method, path]) =>
      [...IMPOSSIBLE_IDS, '..%2f1', '999999999'].map((id) => [method, path.replace('/1', `/${id}`)] as const),
    ),
  )('%s %s is not found', async (method, path) => {
    expectAnswer(await send(method, path, { as: 'upload' }), { status: 404, body: ERRORS.notFound });
  });

  const MALFORMED: (string | Buffer)[] = [
    '',
    '{',
    'null',
    '[]',
    '5',
    '"x"',
    '{}',
    '{"data": null}',
    '{"data": {}}',
    '{"data": []}',
    '{"data": {"attributes": null}}',
    '{"data": {"attributes": []}}',
    "{'data': {}}",
    '{"data": {"attributes": {}}} {}',
    '{"data": {"attributes": {"image_id": 1, "state": "x", "__proto__": {"x": 1}}}}',
    '{"data": {"attributes": {"image_id": 1, "constructor": {"prototype": {"x": 1}}}}}',
    '['.repeat(100_000),
    Buffer.from([0xff, 0xfe, 0x00, 0x7b]),
    '\u0000',
  ];
  const TYPES = [
    'application/json',
    'application/json; charset=latin1',
    'text/plain',
    'json',
    ',;',
    undefined,
  ];
  it.each(MALFORMED.map((body) => [String(body).slice(0, 60), body] as const))(
    'cannot read the body %j, whatever its content type',
    async (_name, body) => {
      for (const [method, path] of [
        ['POST', '/images'],
        ['POST', '/instances'],
        ['POST', '/access_tokens'],
      ] as const) {
        for (const type of TYPES) {
          const headers = type === undefined ? {} : { 'Content-Type': type };
          const answer = await send(method, path, { as: 'upload', body, headers });
          expectAnswer(answer, { status: 400, body: ERRORS.invalidJson });
        }
      }
    },
  );

  it('takes 4 MiB and no more', async () => {
    const tooLong = await send('POST', '/images', { as: 'upload', body: Buffer.alloc(16 * MIB, ' ') });
    expectAnswer(tooLong, { status: 413, body: ownError('body_too_large', 413) });
    // Just long enough, and then not JSON.
    const fits = await send('POST', '/images', { as: 'upload', body: Buffer.alloc(4 * MIB, ' ') });
    expectAnswer(fits, { status: 400, body: ERRORS.invalidJson });
  });

  it('answers headers that are too large', async () => {
    const answer = await send('GET', '/images', { headers: { 'X-Large': 'x'.repeat(20_000) } });
    expectAnswer(answer, { status: 431, body: expect.objectContaining({ status: '431', source: {} }) });
  });
});

describe('a failure nobody foresaw', () => {
  const database = 'damaged';
  let damaged: Server;

  beforeAll(async () => {
    await server.process.stop();
    await queryMetadata(`CREATE DATABASE ${database}`, 'postgres');
    const installation = getInstallation();
    const config = await writeServerConfig(installation, 'damaged.toml', { database });
    damaged = await Server.start(installation, config);
    await queryMetadata('ALTER TABLE images RENAME COLUMN backed_up_at TO secret_cause', database);
  });
  afterAll(async () => {
    await damaged.stop();
    await queryMetadata(`DROP DATABASE ${database}`, 'postgres');
  });

  it('is told without its cause, which the log has', async () => {
    const answer = await new Api(getInstallation()).send('GET', '/images');
    expectAnswer(answer, { status: 500, body: ERRORS.internal });
    const lines = await damaged.waitForLines(({ msg }) => msg === 'request failed');
    expect(lines).toMatchObject([{ level: 'error' }]);
    expect(JSON.stringify(lines)).toContain('backed_up_at');
  });
});
