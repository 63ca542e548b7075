import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer, isIPv6 } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Readiness } from '../../../src/core/readiness.ts';
import { NoLogins } from '../../../src/auth/no-logins.ts';
import { createClientAddressFinder } from '../../../src/http/client-address.ts';
import { openListeners } from '../../../src/server/listeners.ts';
import { createApiCertificate } from '../../../src/tls/api-certificate.ts';
import { LOOPBACKS } from '../../support/ipv6.ts';
import { FakeAuthenticator } from '../fakes/fake-authenticator.ts';
import { RecordingAudit } from '../fakes/recording-audit.ts';
import { createWorld } from '../fakes/world.ts';

let directory = '';
let files = { tlsCertificate: '', tlsPrivateKey: '' };
let ca = '';
let opened: FastifyInstance[] = [];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'draupnir-listeners-'));
  files = { tlsCertificate: join(directory, 'crt'), tlsPrivateKey: join(directory, 'key') };
  const made = await createApiCertificate({ hostnames: ['localhost'], now: new Date(), lifetimeDays: 1 });
  ca = made.ca;
  writeFileSync(files.tlsCertificate, made.certificate);
  writeFileSync(files.tlsPrivateKey, made.key);
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
  rmSync(directory, { recursive: true, force: true });
});

function createParts() {
  const { images, instances, credentials, log } = createWorld();
  return {
    images,
    instances,
    credentials,
    log,
    audit: new RecordingAudit(),
    limits: {
      maxConnections: 10,
      maxConnectionsPerAddress: 10,
      failedRequestsPerMinute: 10,
      headerTimeoutMs: 1000,
      requestTimeoutMs: 1000,
    },
    isProxy: () => false,
    logins: new NoLogins('oauth_error'),
    readiness: new Readiness([]),
    authenticator: new FakeAuthenticator(),
    versionCheck: 'exact' as const,
    findClientAddress: createClientAddressFinder({ useXForwardedFor: false, trustedProxyCidrs: [] }),
    publicHostname: 'db.example.com',
  };
}

function getPort(server: Pick<Server, 'address'>): number {
  return (server.address() as AddressInfo).port;
}

describe('the listeners', () => {
  it('speak HTTPS and plain HTTP side by side, on both families when no host is given', async () => {
    const parts = createParts();
    opened = await openListeners(
      {
        listenAddress: { host: 'localhost', port: 0 },
        insecureListenAddress: { host: '', port: 0 },
        ...files,
      },
      parts,
    );
    const [secure, plain] = opened.map((app) => getPort(app.server));
    for (const host of LOOPBACKS) {
      const response = await fetch(`http://${isIPv6(host) ? `[${host}]` : host}:${plain ?? 0}/health_check`);
      expect(await response.text()).toBe('{"status":"ok"}');
    }
    const asked = request({ host: 'localhost', port: secure, path: '/health_check', ca }).end();
    const [response] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(200);
    const told = parts.log.at('info').filter((line) => line.message === 'listening');
    expect(told).toHaveLength(2);
  });

  it('are all closed again when one cannot be opened', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const port = getPort(free);
    await new Promise((resolve) => free.close(resolve));
    const http = {
      listenAddress: { host: '127.0.0.1', port },
      insecureListenAddress: { host: '127.0.0.1', port: getPort(taken) },
      ...files,
    };
    await expect(openListeners(http, createParts())).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const again = createServer().listen(port, '127.0.0.1');
    await expect(once(again, 'listening')).resolves.toBeDefined();
    for (const server of [taken, again]) await new Promise((resolve) => server.close(resolve));
  });
});
