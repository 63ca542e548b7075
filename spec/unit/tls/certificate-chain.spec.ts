import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  createCertificateChain,
  getClientName,
  renewCertificateChain,
} from '../../../src/tls/certificate-chain.ts';
import { readValidity } from '../../../src/tls/validity.ts';
import type { CertificateChain } from '../../../src/tls/certificate-chain.ts';
import { shakeHands } from './handshake.ts';
import { print, printAsn1, verify } from './openssl.ts';

const now = new Date();
const HOSTNAME = 'db.example.com';

let chain: CertificateChain;
let other: CertificateChain;

beforeAll(async () => {
  chain = await createCertificateChain({ instanceId: 12, hostname: HOSTNAME, now });
  other = await createCertificateChain({ instanceId: 13, hostname: HOSTNAME, now });
});

describe('createCertificateChain', () => {
  it('passes the strict checks of openssl, each certificate for its own purpose', async () => {
    const { ca, server, client } = chain;
    await verify(ca.certificate, server.certificate, 'sslserver', '-verify_hostname', HOSTNAME);
    await verify(ca.certificate, client.certificate, 'sslclient');
    await verify(ca.certificate, ca.certificate, 'any');
  });

  it('passes for nothing else', async () => {
    const { ca, server, client } = chain;
    await expect(verify(ca.certificate, server.certificate, 'sslclient')).rejects.toThrow(
      /unsuitable certificate purpose/,
    );
    await expect(verify(ca.certificate, client.certificate, 'sslserver')).rejects.toThrow(
      /unsuitable certificate purpose/,
    );
    await expect(verify(other.ca.certificate, client.certificate, 'sslclient')).rejects.toThrow(
      /unable to get local issuer/,
    );
    await expect(
      verify(ca.certificate, server.certificate, 'sslserver', '-verify_hostname', 'other.example.com'),
    ).rejects.toThrow(/hostname mismatch/);
  });

  it('names instance and role', () => {
    const subjects = [chain.ca, chain.server, chain.client].map(
      ({ certificate }) => new X509Certificate(certificate).subject,
    );
    expect(subjects).toEqual([
      'CN=Draupnir instance 12 CA',
      `CN=${HOSTNAME}`,
      'CN=Draupnir instance 12 client',
    ]);
    expect(getClientName(12)).toBe('Draupnir instance 12 client');
  });

  it('has the extensions of RFC 5280, critical where they must be', async () => {
    const texts = await Promise.all(
      [chain.ca, chain.server, chain.client].map(({ certificate }) => print(certificate)),
    );
    const [ca = '', server = '', client = ''] = texts;
    expect(ca).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(ca).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    for (const leaf of [server, client]) {
      expect(leaf).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
      expect(leaf).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    }
    expect(server).toMatch(/Extended Key Usage: \n\s+TLS Web Server Authentication\n/);
    expect(server).toMatch(/Subject Alternative Name: \n\s+DNS:db\.example\.com\n/);
    expect(client).toMatch(/Extended Key Usage: \n\s+TLS Web Client Authentication\n/);
    expect(client).not.toContain('Subject Alternative Name');

    const caKeyId = /Subject Key Identifier: \n\s+([0-9A-F:]{59})\n/.exec(ca)?.[1];
    for (const text of texts) {
      expect(text).toMatch(/Version: 3 /);
      expect(text).toContain('Signature Algorithm: ecdsa-with-SHA256');
      expect(text).toContain('ASN1 OID: prime256v1');
      expect(text).toMatch(new RegExp(`Authority Key Identifier: \\n\\s+${caKeyId ?? 'none'}\\n`));
    }
    expect(new Set(texts.map((text) => /Subject Key Identifier: \n\s+(\S+)/.exec(text)?.[1])).size).toBe(3);
  });

  it('writes the algorithm without parameters, and names as UTF-8', async () => {
    const asn1 = await printAsn1(chain.server.certificate);
    expect(asn1.match(/ecdsa-with-SHA256\n.*/g)).toEqual([
      expect.stringMatching(/\n.*l=\s*\d+ cons: SEQUENCE\s*$/),
      expect.stringMatching(/\n.*prim: BIT STRING\s*$/),
    ]);
    expect(asn1).not.toContain('NULL');
    expect(asn1.match(/UTF8STRING\s+:.*/g)).toEqual([
      expect.stringContaining(':Draupnir instance 12 CA'),
      expect.stringContaining(`:${HOSTNAME}`),
    ]);
  });

  it('is valid from an hour before now, for 30 days', () => {
    const certificate = new X509Certificate(chain.client.certificate);
    const seconds = Math.floor(now.getTime() / 1000) * 1000;
    expect(certificate.validFromDate.getTime()).toBe(seconds - 3_600_000);
    expect(certificate.validToDate.getTime()).toBe(seconds + 30 * 86_400_000);
  });

  it('writes years from 2050 on as GeneralizedTime, earlier ones as UTCTime', async () => {
    const beforeTurn = await createCertificateChain({
      instanceId: 1,
      hostname: HOSTNAME,
      now: new Date('2049-12-31T23:30:00Z'),
      lifetimeMs: 86_400_000,
    });
    const asn1 = await printAsn1(beforeTurn.server.certificate);
    expect(asn1).toMatch(/UTCTIME\s+:491231223000Z/);
    expect(asn1).toMatch(/GENERALIZEDTIME\s+:20500101233000Z/);
    await verify(
      beforeTurn.ca.certificate,
      beforeTurn.server.certificate,
      'sslserver',
      '-attime',
      '2524608000',
    );
  });

  it('has serial numbers of 128 bits, positive and never the same', async () => {
    const chains = await Promise.all(
      Array.from({ length: 20 }, (_, id) =>
        createCertificateChain({ instanceId: id, hostname: HOSTNAME, now }),
      ),
    );
    const serials = chains.flatMap(({ ca, server, client }) =>
      [ca, server, client].map(({ certificate }) => new X509Certificate(certificate).serialNumber),
    );
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(new Set(serials).size).toBe(60);
  });

  it('has a key of its own for each, as unencrypted PKCS#8', () => {
    const keys = [chain.ca, chain.server, chain.client, other.ca, other.server, other.client].map(
      ({ key }) => key,
    );
    expect(new Set(keys).size).toBe(6);
    for (const key of keys)
      expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----\n[^-]+-----END PRIVATE KEY-----\n$/);
    expect(Object.keys(chain.ca)).toEqual(['certificate', 'key']);
  });

  it.each([
    ['192.0.2.1', 'IP Address:192.0.2.1'],
    ['::1', 'IP Address:0:0:0:0:0:0:0:1'],
    ['2001:db8::ff00:42:8329', 'IP Address:2001:DB8:0:0:0:FF00:42:8329'],
    ['::ffff:192.0.2.1', 'IP Address:0:0:0:0:0:FFFF:C000:201'],
    ['localhost', 'DNS:localhost'],
  ])('serves for %s', async (hostname, altName) => {
    const { ca, server } = await createCertificateChain({ instanceId: 1, hostname, now });
    expect(new X509Certificate(server.certificate).subjectAltName).toBe(altName);
    await verify(ca.certificate, server.certificate, 'sslserver');
  });

  it('leaves a host name that is too long for a common name to the alternative names', async () => {
    const hostname = `${'a'.repeat(63)}.example.com`;
    const { ca, server } = await createCertificateChain({ instanceId: 1, hostname, now });
    const certificate = new X509Certificate(server.certificate);
    expect(certificate.subject).toBe('CN=Draupnir instance 1 server');
    expect(certificate.checkHost(hostname)).toBe(hostname);
    await verify(ca.certificate, server.certificate, 'sslserver', '-verify_hostname', hostname);
  });

  it('has a host name of 64 characters as common name, and none of 65', async () => {
    for (const [length, subject] of [
      [64, /^CN=a{60}\.com$/],
      [65, /^CN=Draupnir instance 1 server$/],
    ] as const) {
      const hostname = `${'a'.repeat(length - 4)}.com`;
      const { server } = await createCertificateChain({ instanceId: 1, hostname, now });
      expect(new X509Certificate(server.certificate).subject).toMatch(subject);
    }
  });

  it('takes a few milliseconds', async () => {
    const rounds = 20;
    const start = performance.now();
    for (let id = 0; id < rounds; id += 1)
      await createCertificateChain({ instanceId: id, hostname: HOSTNAME, now });
    // 2 ms on a quiet machine; RSA keys would take a second.
    expect((performance.now() - start) / rounds).toBeLessThan(40);
  });
});

describe('renewCertificateChain', () => {
  const DAY = 86_400_000;
  const renew = (from: CertificateChain, at: Date, lifetimeMs = 30 * DAY): Promise<CertificateChain> =>
    renewCertificateChain({ instanceId: 12, hostname: HOSTNAME, now: at, lifetimeMs, ca: from.ca });

  it('makes certificates that the old ones and the new ones vouch for alike', async () => {
    const renewed = await renew(chain, now);
    for (const [ca, leaf] of [
      [chain, renewed],
      [renewed, chain],
      [renewed, renewed],
    ] as const) {
      await verify(ca.ca.certificate, leaf.server.certificate, 'sslserver', '-verify_hostname', HOSTNAME);
      await verify(ca.ca.certificate, leaf.client.certificate, 'sslclient');
    }
    expect(renewed.ca.key).toBe(chain.ca.key);
    expect(renewed.ca.certificate).not.toBe(chain.ca.certificate);
    expect(renewed.server.key).not.toBe(chain.server.key);
    expect(renewed.client.key).not.toBe(chain.client.key);
  });

  it('never lets the CA end before what it vouches for', async () => {
    const later = await renew(chain, new Date(now.getTime() + 29 * DAY));
    const ends = [later.ca, later.server, later.client].map(({ certificate }) =>
      readValidity(certificate).notAfter.getTime(),
    );
    expect(new Set(ends).size).toBe(1);
    expect(ends[0]).toBeGreaterThan(now.getTime() + 58 * DAY);
  });

  it('stays valid when the clock was years ahead, and is set right', async () => {
    const ahead = await renew(chain, new Date(now.getTime() + 3650 * DAY));
    const at = String(Math.floor(now.getTime() / 1000));
    await verify(ahead.ca.certificate, ahead.server.certificate, 'sslserver', '-attime', at);
    await verify(chain.ca.certificate, ahead.server.certificate, 'sslserver', '-attime', at);
    await verify(ahead.ca.certificate, chain.client.certificate, 'sslclient', '-attime', at);
  });

  it('is valid from an hour before now when the clock was ahead before', async () => {
    const before = new Date(now.getTime() - 3650 * DAY);
    const { notBefore } = readValidity((await renew(chain, before)).server.certificate);
    expect(notBefore.getTime()).toBe(Math.floor(before.getTime() / 1000) * 1000 - 3_600_000);
  });
});

describe('a TLS handshake between server and client of a chain', () => {
  const instance = () => ({ ca: chain.ca.certificate, pair: chain.server });
  const user = () => ({ ca: chain.ca.certificate, pair: chain.client, servername: HOSTNAME });

  it('succeeds, and tells the server who the client is', async () => {
    expect(await shakeHands(instance(), user())).toEqual({
      server: 'Draupnir instance 12 client',
      client: 'connected',
    });
  });

  it('is refused by the server when the client is of another chain', async () => {
    const { server } = await shakeHands(instance(), { ...user(), pair: other.client });
    expect(server).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  it('is refused by the server when the client shows nothing, or the certificate of the server', async () => {
    const { server: nothing } = await shakeHands(instance(), {
      ca: chain.ca.certificate,
      servername: HOSTNAME,
    });
    expect(nothing).toBe('UNABLE_TO_GET_ISSUER_CERT');
    const { server: wrongPurpose } = await shakeHands(instance(), { ...user(), pair: chain.server });
    expect(wrongPurpose).toBe('INVALID_PURPOSE');
  });

  it('is refused by the client when the server is of another chain, or has another name', async () => {
    const { client: stranger } = await shakeHands({ ...instance(), pair: other.server }, user());
    expect(stranger).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    const { client: misnamed } = await shakeHands(instance(), { ...user(), servername: 'other.example.com' });
    expect(misnamed).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });
});
