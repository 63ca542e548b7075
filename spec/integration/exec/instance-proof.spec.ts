import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CertificateChain } from '../../../src/core/instance.ts';
import { PgInstanceProof } from '../../../src/exec/instance-proof.ts';
import { createCertificateChain, getClientName } from '../../../src/tls/certificate-chain.ts';
import { HAS_IPV6 } from '../../support/ipv6.ts';
import { startTlsPostgres, type TlsPostgres } from './tls-postgres.ts';

const ID = 7;
const HOSTNAME = 'db.example.com';
const proof = new PgInstanceProof({ publicHostname: HOSTNAME, startTimeoutMs: 5_000 });

/** What the scripts write before an instance is opened. */
const GOOD = ['hostssl all draupnir 127.0.0.1/32 cert map=drp', 'hostssl all draupnir ::1/128 cert map=drp'];

let chain: CertificateChain;
let postgres: TlsPostgres;
beforeAll(async () => {
  chain = await createCertificateChain({ instanceId: ID, hostname: HOSTNAME, now: new Date() });
  postgres = await startTlsPostgres({
    chain,
    clusterName: `draupnir-instance-${ID}`,
    ident: [
      `drp "${getClientName(ID)}" draupnir`,
      `loose "${getClientName(ID)}" draupnir`,
      `loose "${getClientName(ID)}" postgres`,
    ],
  });
});
afterAll(() => postgres.stop());
afterEach(() => vi.unstubAllEnvs());

function prove(options: { id?: number; chain?: CertificateChain; ready?: boolean } = {}): Promise<void> {
  const instance = { id: options.id ?? ID, port: postgres.port };
  return proof.prove(instance, options.chain ?? chain, { pid: postgres.pid, ready: options.ready ?? false });
}

describe('the proof', () => {
  it('is given for the configuration of an instance', async () => {
    await postgres.setHba(GOOD);
    await expect(prove()).resolves.toBeUndefined();
  });

  it.each([
    ['plaintext', 'lets anybody in without TLS', ['host all all 127.0.0.1/32 trust']],
    ['plaintext', 'lets draupnir in without TLS', ['hostnossl all draupnir 127.0.0.1/32 trust']],
    ['no client certificate', 'trusts whoever speaks TLS', ['hostssl all draupnir 127.0.0.1/32 trust']],
    ['no client certificate', 'trusts all addresses', ['hostssl all draupnir all trust']],
    ['another user', 'trusts a superuser', ['hostssl all postgres 127.0.0.1/32 trust']],
    ['another user', 'maps the client to a superuser', ['hostssl all all 127.0.0.1/32 cert map=loose']],
    [
      'another user',
      'takes any user of a client of ours',
      ['hostssl all all 127.0.0.1/32 trust clientcert=verify-ca'],
    ],
  ])('fails with «%s» when pg_hba.conf %s', async (refusal, _, lines) => {
    await postgres.setHba([...lines, ...GOOD]);
    await expect(prove()).rejects.toThrow(`Postgres admits a connection with ${refusal}`);
  });

  it.runIf(HAS_IPV6).each([
    ['plaintext', ['hostnossl all draupnir ::1/128 trust']],
    ['no client certificate', ['hostssl all draupnir ::1/128 trust']],
    ['another user', ['hostssl all postgres ::1/128 trust']],
  ])('fails with «%s» when that holds for IPv6 alone', async (refusal, lines) => {
    await postgres.setHba([...lines, ...GOOD]);
    await expect(prove()).rejects.toThrow(`Postgres admits a connection with ${refusal}`);
  });

  it.each([
    ['a password without TLS', ['hostnossl all draupnir 127.0.0.1/32 scram-sha-256']],
    ['a password of the user with TLS', ['hostssl all draupnir 127.0.0.1/32 scram-sha-256']],
    ['a password of another user', ['hostssl all all 127.0.0.1/32 scram-sha-256']],
    ['another user by the wrong way', ['hostssl all all 127.0.0.1/32 cert map=drp']],
  ])('fails when a refusal has another reason than it should: %s', async (_, lines) => {
    await postgres.setHba([...lines, ...GOOD]);
    await expect(prove()).rejects.toThrow();
  });

  it('is the same for a Postgres that is known to be ready', async () => {
    await postgres.setHba(GOOD);
    await expect(prove({ ready: true })).resolves.toBeUndefined();
    await postgres.setHba(['hostnossl all draupnir 127.0.0.1/32 trust', ...GOOD]);
    await expect(prove({ ready: true })).rejects.toThrow('Postgres admits a connection with plaintext');
    await postgres.setHba(GOOD.slice(1));
    await expect(prove({ ready: true })).rejects.toMatchObject({ code: '28000' });
  });

  it('fails when nobody gets in at all, or by one family only', async () => {
    await postgres.setHba([]);
    await expect(prove()).rejects.toMatchObject({ code: '28000' });
    await postgres.setHba(GOOD.slice(1));
    await expect(prove()).rejects.toMatchObject({ code: '28000' });
  });

  it.runIf(HAS_IPV6)('fails when the client gets in by IPv4 only', async () => {
    await postgres.setHba(GOOD.slice(0, 1));
    await expect(prove()).rejects.toMatchObject({ code: '28000' });
  });

  it('fails when another Postgres answers, even with the right certificate', async () => {
    await postgres.setHba(GOOD);
    await expect(prove({ id: ID + 1 })).rejects.toThrow(/is answered by another Postgres$/);
  });

  it('fails when the server has the certificate of another instance', async () => {
    await postgres.setHba(GOOD);
    const other = await createCertificateChain({ instanceId: ID, hostname: HOSTNAME, now: new Date() });
    await expect(prove({ chain: other })).rejects.toThrow();
    await expect(prove({ chain: { ...chain, client: other.client } })).rejects.toThrow();
    await expect(prove({ chain: { ...chain, ca: other.ca } })).rejects.toThrow();
  });

  it('fails when the certificate of the server is for another name', async () => {
    await postgres.setHba(GOOD);
    const elsewhere = new PgInstanceProof({ publicHostname: 'db.example.org', startTimeoutMs: 5_000 });
    await expect(elsewhere.prove({ id: ID, port: postgres.port }, chain, postgres)).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });

  it('takes nothing from the environment', async () => {
    await postgres.setHba(GOOD);
    vi.stubEnv('PGUSER', 'postgres');
    vi.stubEnv('PGSSLMODE', 'disable');
    vi.stubEnv('PGPASSWORD', 'hunter2');
    await expect(prove()).resolves.toBeUndefined();
  });
});

describe('the wait for a start', () => {
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });
  const quick = new PgInstanceProof({ publicHostname: HOSTNAME, startTimeoutMs: 50 });

  /** A port at which nobody listens. */
  async function findClosedPort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  it('ends when the time is up', async () => {
    const port = await findClosedPort();
    await expect(quick.prove({ id: ID, port }, chain, { pid: process.pid })).rejects.toThrow(
      'Postgres did not start in time',
    );
  });

  it('ends at once when the process has ended', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    const port = await findClosedPort();
    await expect(proof.prove({ id: ID, port }, chain, { pid: child.pid ?? 0 })).rejects.toThrow(
      'Postgres ended while it started',
    );
  });

  it('never sends a password, though one stands in the environment', async () => {
    vi.stubEnv('PGPASSWORD', 'hunter2');
    const received: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      // AuthenticationCleartextPassword, as an answer to the first message.
      socket.once('data', () => socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])));
      socket.on('data', (chunk: Buffer) => {
        received.push(chunk);
        if (chunk[0] === 0x70) socket.end();
      });
    }).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(quick.prove({ id: ID, port }, chain, { pid: process.pid })).rejects.toThrow();
    expect(received.length).toBeGreaterThan(1);
    expect(Buffer.concat(received).includes('hunter2')).toBe(false);
  });

  it('goes on while Postgres says that it is starting, and ends with any other answer', async () => {
    // ErrorResponse (PostgreSQL manual, «Message Formats»), first 57P03, then what is no refusal of ours.
    const answer = (code: string): Buffer => {
      const fields = Buffer.from(`SFATAL\0C${code}\0Mstarting\0\0`);
      const head = Buffer.alloc(5, 'E');
      head.writeInt32BE(4 + fields.length, 1);
      return Buffer.concat([head, fields]);
    };
    let asked = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(answer(++asked < 5 ? '57P03' : '53300')));
    }).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(proof.prove({ id: ID, port }, chain, { pid: process.pid })).rejects.toMatchObject({
      code: '53300',
    });
    expect(asked).toBe(5);
  });
});
