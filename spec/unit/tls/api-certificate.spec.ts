import { X509Certificate, createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createApiCertificate } from '../../../src/tls/api-certificate.ts';
import { verify } from './openssl.ts';

const now = new Date();

describe('createApiCertificate', () => {
  it('serves for every name and address', async () => {
    const { ca, certificate, key } = await createApiCertificate({
      hostnames: ['draupnir.example.com', 'localhost', '127.0.0.1', '::1'],
      now,
      lifetimeDays: 365,
    });
    for (const name of ['draupnir.example.com', 'localhost']) {
      await verify(ca, certificate, 'sslserver', '-verify_hostname', name);
    }
    for (const address of ['127.0.0.1', '::1'])
      await verify(ca, certificate, 'sslserver', '-verify_ip', address);
    await expect(verify(ca, certificate, 'sslserver', '-verify_ip', '127.0.0.2')).rejects.toThrow(
      /IP address mismatch/,
    );

    const parsed = new X509Certificate(certificate);
    expect(parsed.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(parsed.validToDate.getTime() - now.getTime()).toBeGreaterThan(364.9 * 86_400_000);
  });

  it('keeps no key that could sign another certificate', async () => {
    const made = await createApiCertificate({ hostnames: ['localhost'], now, lifetimeDays: 1 });
    expect(Object.keys(made)).toEqual(['ca', 'certificate', 'key']);
    expect(new X509Certificate(made.ca).checkPrivateKey(createPrivateKey(made.key))).toBe(false);
    expect(new X509Certificate(made.certificate).ca).toBe(false);
  });

  it('refuses to make one for nothing', async () => {
    await expect(createApiCertificate({ hostnames: [], now, lifetimeDays: 1 })).rejects.toThrow(TypeError);
  });
});
