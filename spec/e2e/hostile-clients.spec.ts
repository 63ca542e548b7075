import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api, VERSION } from './support/api.ts';
import { ERRORS } from './support/contract.ts';
import { readFootprint } from './support/footprint.ts';
import { findFault } from './support/fuzz/fuzzer.ts';
import { DEVELOPER, getInstallation } from './support/installation.ts';
import { exchange, parseResponses, type RawResponse } from './support/raw-http.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';
import { waitUntil } from './support/wait.ts';

const MAX_CONNECTIONS = 12;
const FAILED_REQUESTS = 20;

let server: Server;
let api: Api;

/** The server of a group of tests; `requestTimeout` is how long a request may take to come. */
function serve(requestTimeout: string): void {
  const limits = `[limits]
max_connections_per_address = ${MAX_CONNECTIONS}
failed_requests_per_minute = ${FAILED_REQUESTS}
header_timeout = "1s"
request_timeout = "${requestTimeout}"
`;

  beforeAll(async () => {
    const installation = getInstallation();
    // Each client that a test plays comes from an address of its own, by the word of a proxy.
    const file = await writeServerConfig(installation, 'limited.toml');
    const toml = (await readFile(file, 'utf8')).replace(/^\[limits\][^[]*/m, limits);
    const proxies = 'use_x_forwarded_for = true\ntrusted_proxy_cidrs = ["127.0.0.1/32"]\n';
    await writeFile(file, proxies + toml);
    server = await Server.start(installation, file);
    api = new Api(installation);
  });

  afterAll(async () => {
    expect(await server.stop()).toBe(0);
    const lines = await server.readLog();
    expect(lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });
}

function open(host = '127.0.0.1', localAddress = '127.0.0.1'): Socket {
  const socket = connect({ port: getInstallation().httpPort, host, localAddress });
  socket.on('error', () => undefined);
  return socket;
}

/** All that comes, until the server hangs up; also when it does so with a reset. */
async function collect(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString();
}

/** Sends head and body as they are; the one response. */
async function send(lines: string[], body: string | Buffer = ''): Promise<RawResponse> {
  const head = [...lines, 'Connection: close', '', ''].join('\r\n');
  const bytes = Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]);
  const { responses, rest, stuck } = await exchange(getInstallation().httpPort, bytes);
  expect({ count: responses.length, rest, stuck }).toEqual({ count: 1, rest: '', stuck: false });
  const [response] = responses as [RawResponse];
  expect(findFault(response)).toBeUndefined();
  return response;
}

function headOf(method: string, path: string, body?: string | Buffer): string[] {
  return [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    `Draupnir-Version: ${VERSION}`,
    `Authorization: Bearer ${DEVELOPER}`,
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
  ];
}

const isServed = async (): Promise<boolean> => (await api.send('GET', '/images')).status === 200;

describe('a client that is slow', () => {
  serve('3s');

  it.each([
    ['headers', 'GET /images HTTP/1.1\r\nHost: x\r\n', 'X-More: x\r\n'],
    ['a body', `${headOf('POST', '/instances').join('\r\n')}\r\nContent-Length: 100000\r\n\r\n{`, ' '],
  ])('with %s is hung up on with 408, while others are served', async (_what, start, drip) => {
    const sockets = Array.from({ length: 20 }, () => open());
    const answers = sockets.map((socket) => collect(socket));
    for (const socket of sockets) socket.write(start);
    const dripping = setInterval(
      () => sockets.forEach((socket) => socket.writable && socket.write(drip)),
      100,
    );
    try {
      const all = Promise.all(answers);
      const isOver = (): boolean => sockets.every((socket) => socket.closed);
      while (!isOver()) expect(await isServed()).toBe(true);
      for (const answer of await all) {
        const [response] = parseResponses(Buffer.from(answer)).responses;
        expect(response?.status).toBe(408);
        expect(response && findFault(response)).toBeUndefined();
      }
    } finally {
      clearInterval(dripping);
    }
  });

  it('to begin with TLS is hung up on', async () => {
    const socket = connect({ port: getInstallation().httpsPort, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    await once(socket, 'close');
    expect(await isServed()).toBe(true);
  });
});

describe('a client that sends much', () => {
  serve('20s');

  it('is told 413 about a body of 1 GB, whose memory nobody needs', async () => {
    const before = await readFootprint(server.pid);
    const socket = open();
    const answer = collect(socket);
    const chunk = Buffer.alloc(1024 * 1024, ' ');
    socket.write(
      `${headOf('POST', '/images').slice(0, 3).join('\r\n')}\r\nAuthorization: Bearer ${DEVELOPER}\r\n`,
    );
    socket.write('Content-Length: 1073741824\r\nConnection: close\r\n\r\n');
    for (let sent = 0; sent < 1024 && socket.writable; sent++) {
      if (socket.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        const goOn = (): void => {
          socket.off('drain', goOn).off('close', goOn);
          resolve();
        };
        socket.on('drain', goOn).on('close', goOn);
      });
    }
    const [response] = parseResponses(Buffer.from(await answer)).responses;
    expect(response?.status).toBe(413);
    expect(response && findFault(response)).toBeUndefined();
    // What has come is garbage by now, and collected with the next requests.
    await waitUntil('the memory is given back', async () => {
      await isServed();
      return (await readFootprint(server.pid)).rssMib < before.rssMib + 100;
    });
  });

  it.each([
    ['arrays in arrays', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['objects in objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['arrays that end nowhere', '['.repeat(100_000)],
    ['a key that reaches for a prototype', '{"data":{"attributes":{"__proto__":{"image_id":1}}}}'],
    ['a constructor', '{"data":{"attributes":{"constructor":{"prototype":{}},"image_id":1}}}'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['a NUL', '{"data":\0}'],
  ])('is told 400 about %s', async (_what, body) => {
    const response = await send(headOf('POST', '/instances', body), body);
    expect(response.status).toBe(400);
    expect(JSON.parse(response.body)).toEqual(ERRORS.invalidJson);
  });

  it.each(['\\ud800', '\\u0000', '7\\u0000', '7\\n', ' 7 ', '0x10', '1e3', '7;rm', '１'])(
    'is told 400 about an image_id of "%s"',
    async (id) => {
      const body = `{"data":{"attributes":{"image_id":"${id}"}}}`;
      const response = await send(headOf('POST', '/instances', body), body);
      expect(JSON.parse(response.body)).toEqual(ERRORS.invalidImageId);
    },
  );

  it.each([
    ['two lengths', [...headOf('POST', '/instances'), 'Content-Length: 2', 'Content-Length: 3'], 400],
    [
      'a length and chunks',
      [...headOf('POST', '/instances'), 'Content-Length: 2', 'Transfer-Encoding: chunked'],
      400,
    ],
    ['two hosts', [...headOf('GET', '/images'), 'Host: other'], 200],
    ['no host, by the health check', ['GET /health_check HTTP/1.1'], 400],
    ['no host', headOf('GET', '/images').filter((line) => !line.startsWith('Host')), 400],
    [
      'two tokens',
      [
        ...headOf('GET', '/images').slice(0, 3),
        'Authorization: Bearer x',
        `Authorization: Bearer ${DEVELOPER}`,
      ],
      401,
    ],
    ['two versions', [...headOf('GET', '/images'), `Draupnir-Version: ${VERSION}`], 400],
    [
      '2500 headers',
      [...headOf('GET', '/images'), ...Array.from({ length: 2500 }, (_, index) => `A${index}: b`)],
      431,
    ],
    ['a header of 20 kB', [...headOf('GET', '/images'), `X: ${'x'.repeat(20_000)}`], 431],
    ['a header with a NUL', [...headOf('GET', '/images'), 'X: a\0b'], 400],
    ['an expectation', [...headOf('GET', '/images'), 'Expect: a-miracle'], 417],
    ['a tunnel', ['CONNECT example.com:443 HTTP/1.1', 'Host: example.com'], 400],
    ['another protocol', [...headOf('GET', '/images'), 'Upgrade: websocket'], 200],
  ] as const)('is answered in our form about %s', async (_what, lines, status) => {
    expect((await send([...lines])).status).toBe(status);
  });
});

describe('a client with many connections', () => {
  serve('20s');

  it('gets so many and no more; others are served, and it is when it lets go', async () => {
    const held = Array.from({ length: MAX_CONNECTIONS }, () => open('127.0.0.1', '127.0.0.9'));
    for (const socket of held) {
      socket.write('GET /health_check HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'data');
    }
    const refused = open('127.0.0.1', '127.0.0.9');
    refused.write('GET /health_check HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await collect(refused)).toBe('');
    expect(await isServed()).toBe(true);
    for (const socket of held) socket.destroy();
    await waitUntil('the address is served again', async () => {
      const socket = open('127.0.0.1', '127.0.0.9');
      socket.write('GET /health_check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      return (await collect(socket)).startsWith('HTTP/1.1 200');
    });
  });
});

describe('a stranger', () => {
  serve('20s');

  const from = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address });

  it('is refused with 429 beyond the limit, by address; whoever has a token is served from there', async () => {
    const ask = (as: 'none' | 'developer', address: string) =>
      api.send('GET', '/images', { as, headers: from(address) });
    for (let count = 0; count < FAILED_REQUESTS; count++)
      expect((await ask('none', '2001:db8::1')).status).toBe(401);
    const refused = await ask('none', '2001:db8::ffff');
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({
      id: 'too_many_requests',
      status: '429',
      title: 'Too Many Requests',
    });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask('none', '2001:db8:0:1::1')).status).toBe(401);
    expect((await ask('developer', '2001:db8::1')).status).toBe(200);
  });

  it.each([
    ['GET', '/authenticate?state=x'],
    ['GET', '/oauth_callback?state=x'],
    ['POST', '/access_tokens'],
    ['GET', '/admin.php'],
  ])('is limited at %s %s', async (method, path) => {
    const address = `192.0.2.${path.length}`;
    const statuses = [];
    for (let count = 0; count <= FAILED_REQUESTS; count++)
      statuses.push((await api.send(method, path, { as: 'none', headers: from(address) })).status);
    expect(statuses.indexOf(429)).toBe(FAILED_REQUESTS);
    expect((await api.send('GET', '/health_check', { as: 'none', headers: from(address) })).status).toBe(200);
  });
});
