import fc from 'fast-check';
import { VERSION } from '../api.ts';
import { DEVELOPER, SECRET } from '../installation.ts';

/** Ids that nothing has: a mutated one must not hit what other tests need. */
const ID = fc.oneof(
  fc.constantFrom(
    '0',
    '-1',
    '01',
    '%207',
    '7%20',
    '0x10',
    '1e3',
    '7;rm',
    '7%00',
    '%2e%2e',
    '..%2f1',
    '１',
    'NaN',
    '%',
  ),
  fc.constantFrom('__proto__', 'constructor', '900000001', '999999999', '2147483648', '9'.repeat(200)),
  fc.webSegment(),
);

const PATH = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('/images', '/instances', '/access_tokens', '/health_check', '/ready'),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom('/authenticate?state=', '/oauth_callback?state=x&code=', '/', '//', '*'),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom('/images/', '/instances/'),
        ID,
        fc.constantFrom('', '/done', '/', '/credentials'),
      )
      .map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.webPath() },
);

const QUERY = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '?fields[images]=ready',
      '?fields[instances]=port,port',
      '?fields[images]=__proto__',
      '?fields[__proto__]=x&fields[images]=',
      '?fields[images]=status&fields[images]=failure',
      '?%00',
      '?a[b][c][d]=1',
    ),
  },
  { weight: 1, arbitrary: fc.webQueryParameters().map((query) => `?${query}`) },
);

const METHOD = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('GET', 'POST', 'DELETE') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('HEAD', 'PUT', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'get', 'FOO'),
  },
);

/** JSON in JavaScript's own form, with keys and texts that are somebody's trap. */
const VALUE = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom<unknown>(
    null,
    0,
    -0,
    1e308,
    '0',
    '1.0',
    '-7',
    '\u0000',
    '\ud800',
    '2026-13-45T99:99:99Z',
    '',
    [],
    {},
  ),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
);

const ATTRIBUTES = fc.dictionary(
  fc.constantFrom('image_id', 'backed_up_at', 'anonymisation_script', 'state', 'x'),
  VALUE,
);

/** `image_id` 1 would make instances by the thousand. */
const DOCUMENT = fc.oneof(
  {
    weight: 5,
    arbitrary: ATTRIBUTES.map((attributes) => JSON.stringify({ data: { type: 'x', attributes } })),
  },
  { weight: 2, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '{"data":{"attributes":{"__proto__":{"image_id":"x"}}}}',
      '{"data":{"attributes":{"constructor":{"prototype":{"x":1}},"image_id":"x"}}}',
      '{"__proto__":null}',
      `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      '['.repeat(100_000),
      `{"data":{"attributes":{"image_id":${'['.repeat(50_000)}${']'.repeat(50_000)}}}}`,
      '{"data":{"attributes":{"state":"\\ud800\\u0000"}}}',
      '{"data":{"attributes":{"image_id":99999999999999999999999999}}}',
      '\ufeff{}',
      '{"data":{"attributes":{}}}{"data":{"attributes":{}}}',
    ),
  },
);

const TOKEN = fc.oneof(
  { weight: 5, arbitrary: fc.constant(`Bearer ${DEVELOPER}`) },
  { weight: 3, arbitrary: fc.constant(`Bearer ${SECRET}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'Bearer',
      'Bearer ',
      'Basic eDp5',
      `Bearer drp_${'A'.repeat(43)}`,
      `Bearer ${'x'.repeat(5000)}`,
    ),
  },
  { weight: 1, arbitrary: fc.string().map((text) => `Bearer ${text.replace(/[\r\n]/g, '')}`) },
);

const HEADER = fc.oneof(
  fc.constantFrom(
    `Draupnir-Version: ${VERSION}`,
    'Draupnir-Version: 1.2.3',
    'Draupnir-Version:',
    'Content-Type: application/json',
    'Content-Type: json',
    'Content-Type: multipart/form-data',
    'Content-Length: 5',
    'Content-Length: 0x10',
    'Content-Length: 1000000000',
    'Content-Length: -1',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Content-Encoding: gzip',
    'Expect: 100-continue',
    'Expect: a miracle',
    'Upgrade: websocket',
    'Connection: upgrade',
    'Connection: keep-alive',
    'Host: a',
    'X-Forwarded-For: 1.2.3.4, ::1, nonsense',
    'Accept-Encoding: br',
    'If-None-Match: *',
    'Range: bytes=0-0',
    `X: ${'x'.repeat(20_000)}`,
    Array.from({ length: 2500 }, (_, index) => `A${index}: b`).join('\r\n'),
    'Broken',
    ': x',
    'X : y',
    ' folded',
  ),
  fc.string({ unit: 'binary' }).map((text) => `X: ${text}`),
);

/** A request as bytes that asks to be hung up on afterwards. */
const REQUEST = fc
  .record({
    method: METHOD,
    path: PATH,
    query: QUERY,
    token: fc.option(TOKEN, { freq: 8 }),
    host: fc.boolean().map((odd) => (odd ? 'localhost' : 'x')),
    version: fc.option(fc.constant(VERSION), { freq: 10 }),
    headers: fc.array(HEADER, { maxLength: 2, size: 'max' }),
    body: fc.option(DOCUMENT, { freq: 2 }),
    saysLength: fc.boolean(),
    keepHeaders: fc.nat(3),
  })
  .map(({ method, path, query, token, host, version, headers, body, saysLength, keepHeaders }) => {
    const content = Buffer.from(body ?? '');
    const lines = [
      `${method} ${path}${path.includes('?') ? '' : query} HTTP/1.1`,
      `Host: ${host}`,
      ...(version === null ? [] : [`Draupnir-Version: ${version}`]),
      ...(token === null ? [] : [`Authorization: ${token}`]),
      // Most requests should get past the parser.
      ...(keepHeaders === 0 ? headers : []),
      ...(body !== null && (saysLength || keepHeaders > 0) ? [`Content-Length: ${content.length}`] : []),
      'Connection: close',
    ];
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), content]);
  });

/** What may be damaged: by a mutation, a request of the upload user could destroy something. */
const HARMLESS = REQUEST.map((bytes) =>
  Buffer.from(bytes.toString('latin1').replaceAll(SECRET, DEVELOPER), 'latin1'),
);

const MUTATED = fc
  .record({
    bytes: HARMLESS,
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    by: fc.uint8Array({ maxLength: 8 }),
    kind: fc.nat(4),
  })
  .map(({ bytes, at, by, kind }) => {
    const position = Math.floor(Math.min(bytes.length, 400) * at);
    const [head, tail] = [bytes.subarray(0, position), bytes.subarray(position)];
    if (kind === 0) return Buffer.concat([head, by, tail]);
    if (kind === 1) return Buffer.concat([head, tail.subarray(by.length + 1)]);
    if (kind === 2) return Buffer.concat([head, Buffer.from('\r\n\r\n'), tail]);
    if (kind === 3) return Buffer.concat([head, Buffer.from([0]), tail.subarray(1)]);
    return Buffer.concat([bytes, bytes]);
  });

/** Bytes that are sent to the server over one connection. */
export const FUZZ_INPUT = fc.oneof(
  { weight: 6, arbitrary: REQUEST },
  { weight: 3, arbitrary: MUTATED },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ minLength: 1, maxLength: 300, size: 'max' })
      .map((bytes) => Buffer.from(bytes)),
  },
);
