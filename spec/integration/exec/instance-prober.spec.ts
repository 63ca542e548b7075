import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SealedBox } from '../../../src/auth/sealed-box.ts';
import type { CertificateChain } from '../../../src/core/instance.ts';
import { sealCredentials } from '../../../src/core/sealed-credentials.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { Probe } from '../../../src/doctor/answer.ts';
import { listLoopbackAddresses } from '../../../src/exec/instance-proof.ts';
import { PgInstanceProber } from '../../../src/exec/instance-prober.ts';
import { createCertificateChain, getClientName } from '../../../src/tls/certificate-chain.ts';
import { startTlsPostgres, type TlsPostgres } from './tls-postgres.ts';

const ID = 7;
const HOSTNAME = 'db.example.com';
const HBA = ['hostssl all draupnir 127.0.0.1/32 cert map=drp', 'hostssl all draupnir ::1/128 cert map=drp'];
const HOSTS = listLoopbackAddresses();
const sealer = new SealedBox(new Secret(randomBytes(32)));

let chain: CertificateChain;
let postgres: TlsPostgres;
beforeAll(async () => {
  chain = await createCertificateChain({ instanceId: ID, hostname: HOSTNAME, now: new Date() });
  postgres = await startTlsPostgres({
    chain,
    clusterName: `draupnir-instance-${ID}`,
    ident: [`drp "${getClientName(ID)}" draupnir`],
  });
});
afterAll(() => postgres.stop());
beforeEach(() => postgres.setHba(HBA));

interface Question {
  id?: number;
  port?: number;
  credentials?: Buffer | null;
  hostname?: string;
  adoptedUid?: number;
}

async function probe(question: Question = {}): Promise<Probe | undefined> {
  const prober = new PgInstanceProber({
    publicHostname: question.hostname ?? HOSTNAME,
    sealer,
    readAdoptedCredentials: (id) => (id === ID ? Promise.resolve(chain) : Promise.reject(new Error('none'))),
  });
  const id = question.id ?? ID;
  const record = {
    id,
    imageId: 1,
    port: question.port ?? postgres.port,
    userEmail: 'ada@example.com',
    status: 'ready',
    ageMs: 0,
    credentials:
      question.credentials === undefined ? sealCredentials(sealer, id, chain) : question.credentials,
  };
  const [found] = await prober.probe([{ ...record, adoptedUid: question.adoptedUid }]);
  return found;
}

const everywhere = (answer: object): object => ({ answers: HOSTS.map((host) => ({ host, ...answer })) });

describe('an instance that is asked', () => {
  it('answers as itself, by both families, and shows how long its certificates last', async () => {
    const found = await probe();
    expect(found).toEqual({
      id: ID,
      credentials: 'open',
      expiresAt: expect.any(Date) as Date,
      ...everywhere({ kind: 'itself' }),
    });
    const days = ((found?.expiresAt?.getTime() ?? 0) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(20);
    expect(days).toBeLessThan(40);
  });

  it('is told from another one on its port', async () => {
    expect(await probe({ id: 8 })).toMatchObject(everywhere({ kind: 'other' }));
  });

  it('is rejected when its configuration does not admit its client, or the certificate is of another host', async () => {
    expect(await probe({ hostname: 'other.example.com' })).toMatchObject(
      everywhere({ kind: 'rejected', code: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
    );
    await postgres.setHba([]);
    expect(await probe()).toMatchObject(everywhere({ kind: 'rejected', code: '28000' }));
  });

  it('is not there when nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    expect(await probe({ port })).toMatchObject(everywhere({ kind: 'refused' }));
  });

  it('is silent when it takes connections and says nothing', async () => {
    const server = createServer((socket) => void socket.resume()).listen(0, '::');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(await probe({ port })).toMatchObject(everywhere({ kind: 'silent' }));
  });

  it('has credentials that were sealed for it, or on its disk', async () => {
    const box = sealCredentials(sealer, 8, chain);
    expect(await probe({ credentials: box })).toMatchObject({ credentials: 'sealed otherwise', answers: [] });
    expect(await probe({ id: 8, credentials: null })).toMatchObject({
      credentials: 'unreadable',
      answers: [],
    });
  });

  it('need not say its name, nor know IPv6, when Draupnir 5.3 made it', async () => {
    await postgres.setHba(HBA.slice(0, 1));
    expect(await probe({ credentials: null, adoptedUid: 999, hostname: 'other.example.com' })).toMatchObject({
      answers: [{ host: '127.0.0.1', kind: 'itself' }],
    });
  });
});
