import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { NoLogins } from '../../../src/auth/no-logins.ts';
import { Readiness } from '../../../src/core/readiness.ts';
import { createClientAddressFinder } from '../../../src/http/client-address.ts';
import { openListeners } from '../../../src/server/listeners.ts';
import { createApiCertificate } from '../../../src/tls/api-certificate.ts';
import { VERSION } from '../../../src/version.ts';
import { FakeAuthenticator } from '../fakes/fake-authenticator.ts';
import { RecordingAudit } from '../fakes/recording-audit.ts';
import { createWorld, type World } from '../fakes/world.ts';

/** Far more than a stop takes, and less than any time-out of the listener. */
const SOON_MS = 2000;

let certificate: { certificate: string; key: string };
beforeAll(async () => {
  certificate = await createApiCertificate({ hostnames: ['localhost'], now: new Date(), lifetimeDays: 1 });
});

interface Listener extends World {
  app: FastifyInstance;
  /** Connects as a client would. */
  open: () => Promise<Socket>;
  /** Connects by TCP alone. */
  openRaw: () => Promise<Socket>;
}

async function listen(scheme: 'http' | 'https'): Promise<Listener> {
  const directory = mkdtempSync(join(tmpdir(), 'draupnir-stop-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const files = { tlsCertificate: join(directory, 'crt'), tlsPrivateKey: join(directory, 'key') };
  writeFileSync(files.tlsCertificate, certificate.certificate);
  writeFileSync(files.tlsPrivateKey, certificate.key);
  const world = createWorld();
  const address = { host: '127.0.0.1', port: 0 };
  const listeners = await openListeners(
    scheme === 'https' ? { listenAddress: address, ...files } : { insecureListenAddress: address },
    {
      ...world,
      audit: new RecordingAudit(),
      limits: {
        maxConnections: 20,
        maxConnectionsPerAddress: 20,
        failedRequestsPerMinute: 100,
        headerTimeoutMs: 60_000,
        requestTimeoutMs: 60_000,
      },
      isProxy: () => false,
      logins: new NoLogins('oauth_error'),
      readiness: new Readiness([]),
      authenticator: new FakeAuthenticator(),
      versionCheck: 'exact',
      findClientAddress: createClientAddressFinder({ useXForwardedFor: false, trustedProxyCidrs: [] }),
      publicHostname: 'db.example.com',
    },
  );
  const [app] = listeners as [FastifyInstance];
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await app.close();
  });
  const { port } = app.server.address() as AddressInfo;
  const keep = (socket: Socket): Socket => {
    sockets.push(socket);
    return socket.on('error', () => undefined);
  };
  const openRaw = async (): Promise<Socket> => {
    const socket = keep(connect({ port, host: '127.0.0.1' }));
    await once(socket, 'connect');
    return socket;
  };
  const openTls = async (): Promise<Socket> => {
    const socket = keep(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }));
    await once(socket, 'secureConnect');
    return socket;
  };
  return { ...world, app, openRaw, open: scheme === 'https' ? openTls : openRaw };
}

function head(line: string, ...headers: string[]): string {
  return [
    line,
    'Host: x',
    `Draupnir-Version: ${VERSION}`,
    'Authorization: Bearer upload',
    ...headers,
    '',
    '',
  ].join('\r\n');
}

const LIST = head('GET /images HTTP/1.1');

/** All that comes until the server closes the connection. */
async function collect(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

/** Resolves when the server has read something of the connection. */
async function isRead({ app }: Listener): Promise<void> {
  const { port } = app.server.address() as AddressInfo;
  // What another connection sends later is answered later.
  await fetch(`http://127.0.0.1:${port}/health_check`).catch(() => undefined);
}

async function measureClose({ app }: Listener): Promise<number> {
  const start = performance.now();
  await app.close();
  return performance.now() - start;
}

describe.each(['http', 'https'] as const)('stopping a listener (%s)', (scheme) => {
  it.each([
    ['that has sent nothing', ''],
    ['with half a request line', 'GET /ima'],
    ['with half a header', 'GET /images HTTP/1.1\r\nHost: x\r\n'],
    ['with half a body', `${head('POST /images HTTP/1.1', 'Content-Length: 1000')}{"data":`],
    ['with half a body that nothing reads', `${head('GET /images HTTP/1.1', 'Content-Length: 9')}x`],
    ['with a chunk and no end', `${head('POST /images HTTP/1.1', 'Transfer-Encoding: chunked')}1\r\n{\r\n`],
  ])('closes a connection %s at once', async (_what, bytes) => {
    const listener = await listen(scheme);
    const socket = await listener.open();
    socket.write(bytes);
    await isRead(listener);
    const closed = collect(socket);
    expect(await measureClose(listener)).toBeLessThan(SOON_MS);
    await closed;
    expect(listener.log.at('error')).toEqual([]);
  });

  it('closes an idle connection and an unfinished TLS handshake at once', async () => {
    const listener = await listen(scheme);
    const idle = await listener.open();
    idle.write(LIST);
    await once(idle, 'data');
    const silent = await listener.openRaw();
    const hello = await listener.openRaw();
    // The first bytes of a TLS record: a handshake message of 512 bytes (RFC 8446, section 5.1).
    hello.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
    await isRead(listener);
    const closed = Promise.all([idle, silent, hello].map(collect));
    expect(await measureClose(listener)).toBeLessThan(SOON_MS);
    await closed;
  });

  it('answers a request in work, then closes its connection', async () => {
    const listener = await listen(scheme);
    listener.imageStore.add('ready');
    const hold = listener.steps.hold('images.list');
    const working = await listener.open();
    working.write(LIST);
    const answer = collect(working);
    await hold.reached;
    const half = await listener.open();
    half.write('GET /images HTTP/1.1\r\n');
    await isRead(listener);
    const halfClosed = collect(half);
    const closing = measureClose(listener);
    // At once, not with the request in work.
    await halfClosed;
    hold.release();
    const text = await answer;
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    expect(text).toContain('"data":[{"type":"images"');
    expect(await closing).toBeLessThan(SOON_MS);
  });

  it('answers the complete ones of several requests on a connection', async () => {
    const listener = await listen(scheme);
    const holds = [listener.steps.hold('images.list')];
    const socket = await listener.open();
    socket.write(LIST);
    await holds[0]?.reached;
    holds.push(listener.steps.hold('images.list'));
    socket.write(`${LIST}GET /images HTTP/1.1\r\nHost: x\r\n`);
    await holds[1]?.reached;
    const answer = collect(socket);
    const closing = measureClose(listener);
    for (const hold of holds) hold.release();
    expect((await answer).match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(await closing).toBeLessThan(SOON_MS);
  });

  it('refuses new connections', async () => {
    const listener = await listen(scheme);
    await listener.app.close();
    await expect(listener.openRaw()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
