import { once } from 'node:events';
import { mkdtempDisposable, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { buildTlsOptions, reloadApiCertificate } from '../../../src/server/api-certificate.ts';
import { createApiCertificate } from '../../../src/tls/api-certificate.ts';
import { RecordingLog } from '../fakes/recording-log.ts';

type Pair = Awaited<ReturnType<typeof createApiCertificate>>;

const DAY_MS = 86_400_000;

const create = (now = new Date()): Promise<Pair> =>
  createApiCertificate({ hostnames: ['localhost'], now, lifetimeDays: 2 });

/** An HTTPS server, with its files in a folder. */
async function setUp() {
  const folder = await mkdtempDisposable(join(tmpdir(), 'draupnir-reload-'));
  const http = {
    listenAddress: { host: '127.0.0.1', port: 0 },
    tlsCertificate: join(folder.path, 'crt'),
    tlsPrivateKey: join(folder.path, 'key'),
  };
  const write = async ({ certificate, key }: Pick<Pair, 'certificate' | 'key'>): Promise<void> => {
    await writeFile(http.tlsCertificate, certificate);
    await writeFile(http.tlsPrivateKey, key);
  };
  const first = await create();
  await write(first);
  const server = createServer(
    buildTlsOptions({ certificatePem: Buffer.from(first.certificate), keyPem: Buffer.from(first.key) }),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const log = new RecordingLog();
  const sockets: TLSSocket[] = [];
  const open = async (trusted: Pair): Promise<TLSSocket> => {
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: trusted.ca });
    sockets.push(socket);
    await once(socket, 'secureConnect');
    return socket;
  };
  const reload = (now?: Date): Promise<void> => {
    const listeners = [{ server }, { server: createHttpServer() }];
    return reloadApiCertificate({ listeners, http, configFile: 'config.toml', log }, now);
  };
  const dispose = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await folder[Symbol.asyncDispose]();
  };
  return { http, first, write, open, reload, log, [Symbol.asyncDispose]: dispose };
}

describe('the certificate of the API', () => {
  it('is read again for new connections, and the open ones stay', async () => {
    await using api = await setUp();
    const old = await api.open(api.first);
    const second = await create();
    await api.write(second);
    await api.reload();
    const { fingerprint256: fingerprint } = (await api.open(second)).getPeerCertificate();
    await expect(api.open(api.first)).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    expect(old.destroyed).toBe(false);
    expect(api.log.lines).toMatchObject([
      { level: 'info', message: 'reloaded the certificate of the API', fields: { fingerprint } },
    ]);
  });

  it.each<[string, (files: { tlsCertificate: string; tlsPrivateKey: string }) => Promise<unknown>, RegExp]>([
    [
      'that is missing',
      ({ tlsCertificate }) => rm(tlsCertificate),
      /^config\.toml: http\.tls_certificate: .*no such file/,
    ],
    [
      'of another key',
      async ({ tlsPrivateKey }) => writeFile(tlsPrivateKey, (await create()).key),
      /^config\.toml: http\.tls_private_key: must be the key of the certificate/,
    ],
    [
      'with a damaged key',
      ({ tlsPrivateKey }) => writeFile(tlsPrivateKey, 'junk'),
      /^config\.toml: http\.tls_private_key: must hold a private key/,
    ],
  ])('stays in use when it is replaced by one %s', async (_what, damage, problem) => {
    await using api = await setUp();
    await damage(api.http);
    await api.reload();
    expect(api.log.lines).toMatchObject([
      {
        level: 'error',
        message: 'certificate not reloaded: the earlier one stays in use',
        fields: { problems: [expect.stringMatching(problem)] },
      },
    ]);
    expect((await api.open(api.first)).authorized).toBe(true);
  });

  it.each([
    ['has expired', 3 * DAY_MS, /: http\.tls_certificate: expired on \d{4}-\d\d-\d\d$/],
    ['is not valid yet', -DAY_MS, /: http\.tls_certificate: is not valid before \d{4}-\d\d-\d\dT/],
  ])('stays in use when it is replaced by one that %s', async (_what, distanceMs, problem) => {
    await using api = await setUp();
    await api.write(await create());
    await api.reload(new Date(Date.now() + distanceMs));
    expect(api.log.at('error')).toMatchObject([{ fields: { problems: [expect.stringMatching(problem)] } }]);
    expect((await api.open(api.first)).authorized).toBe(true);
  });

  it('is not there to be reloaded without an HTTPS listener', async () => {
    const log = new RecordingLog();
    await reloadApiCertificate({ listeners: [], http: {}, configFile: 'config.toml', log });
    expect(log.lines.map(({ level }) => level)).toEqual(['info']);
  });
});
