import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CertificateChain } from '../../../src/core/instance.ts';
import { PgCertificateProof } from '../../../src/exec/certificate-proof.ts';
import {
  createCertificateChain,
  getClientName,
  renewCertificateChain,
} from '../../../src/tls/certificate-chain.ts';
import { startTlsPostgres, type TlsPostgres } from './tls-postgres.ts';

const ID = 7;
const HOSTNAME = 'db.example.com';
const HBA = ['hostssl all draupnir 127.0.0.1/32 cert map=drp', 'hostssl all draupnir ::1/128 cert map=drp'];
const issue = { instanceId: ID, hostname: HOSTNAME, now: new Date() };
const proof = new PgCertificateProof(HOSTNAME);

let old: CertificateChain;
let renewed: CertificateChain;
let replaced: CertificateChain;
let postgres: TlsPostgres;
beforeAll(async () => {
  old = await createCertificateChain(issue);
  renewed = await renewCertificateChain({ ...issue, ca: old.ca });
  replaced = await createCertificateChain(issue);
  postgres = await startTlsPostgres({
    chain: old,
    clusterName: `draupnir-instance-${ID}`,
    ident: [`drp "${getClientName(ID)}" draupnir`],
  });
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  await postgres.setHba(HBA);
  await postgres.setCertificates(old);
  await prove(old);
});

const instance = () => ({ id: ID, port: postgres.port });
const prove = (chain: CertificateChain, retired?: CertificateChain): Promise<void> =>
  proof.proveInstalled(instance(), chain, retired);

describe('the proof of new certificates', () => {
  it('waits until a renewed chain is served, though the old one takes the new client already', async () => {
    const proven = prove(renewed);
    await postgres.setCertificates(renewed);
    await expect(proven).resolves.toBeUndefined();
    // The old credentials go on.
    expect(await proof.check(instance(), old)).toBe('admitted');
  });

  it('waits until a replaced chain is served, and sees the old client refused', async () => {
    const proven = prove(replaced, old);
    await postgres.setCertificates(replaced);
    await expect(proven).resolves.toBeUndefined();
    expect(await proof.check(instance(), old)).toBe('mismatched');
    expect(await proof.check(instance(), replaced)).toBe('admitted');
  });

  it('is not given for a client that was to be refused and is not', async () => {
    await postgres.setCertificates(renewed);
    await expect(prove(renewed, old)).rejects.toThrow(
      'Postgres admits a client certificate that was replaced',
    );
  });

  it('is not given when the new certificates are not served in time', async () => {
    await expect(prove(renewed)).rejects.toMatchObject({ code: 'ERR_TLS_OTHER_CERTIFICATE' });
  });

  it('is not given for another name', async () => {
    const elsewhere = new PgCertificateProof('db.example.org');
    await expect(elsewhere.proveInstalled(instance(), old)).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });
});

describe('the look at an instance', () => {
  it('sees that it takes its client by mutual TLS', async () => {
    expect(await proof.check(instance(), old)).toBe('admitted');
  });

  it.each([
    ['plaintext', 'hostnossl all draupnir 127.0.0.1/32 trust'],
    ['no client certificate', 'hostssl all draupnir 127.0.0.1/32 trust'],
    ['another user', 'hostssl all postgres 127.0.0.1/32 trust'],
  ])('fails with «%s» when others get in', async (refusal, line) => {
    await postgres.setHba([line, ...HBA]);
    await expect(proof.check(instance(), old)).rejects.toThrow(
      `Postgres admits a connection with ${refusal}`,
    );
  });

  it('sees certificates of another CA, on either side', async () => {
    expect(await proof.check(instance(), replaced)).toBe('mismatched');
    expect(await proof.check(instance(), { ...old, client: replaced.client })).toBe('mismatched');
  });

  it('sees that nobody is there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await proof.check({ id: ID, port }, old)).toBe('unreachable');
  });

  it('sees that there is no process for it', { timeout: 20_000 }, async () => {
    // What a postmaster answers that cannot fork (PostgreSQL manual, 55.2.10), as while its control group is being ended.
    const server = createServer((socket) =>
      socket.resume().end('Ecould not fork new process for connection\0'),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await proof.check({ id: ID, port }, old)).toBe('unreachable');
    await new Promise((resolve) => server.close(resolve));
  });
});
