import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';

/** A certificate authority of a test, and a certificate for `localhost` that it signed. PEM. */
export interface TestCertificates {
  authority: string;
  certificate: string;
  key: string;
}

/**
 * Makes a certificate authority and a server certificate for `names`, valid for a day, or the latter as
 * given.
 */
export function createTestCertificates(
  names = ['localhost'],
  validity: Partial<forge.pki.Certificate['validity']> = {},
): TestCertificates {
  const authorityKey = createKey();
  const authority = createCertificate('test authority', authorityKey);
  authority.setExtensions([{ name: 'basicConstraints', cA: true, critical: true }]);
  authority.sign(authorityKey, forge.md.sha256.create());

  const key = createKey();
  const certificate = createCertificate('test server', key);
  Object.assign(certificate.validity, validity);
  certificate.setIssuer(authority.subject.attributes);
  certificate.setExtensions([
    { name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) },
  ]);
  certificate.sign(authorityKey, forge.md.sha256.create());

  return {
    authority: forge.pki.certificateToPem(authority),
    certificate: forge.pki.certificateToPem(certificate),
    key: forge.pki.privateKeyToPem(key),
  };
}

function createKey(): forge.pki.rsa.PrivateKey {
  // Node makes an RSA key many times faster than forge.
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return forge.pki.privateKeyFromPem(privateKey.export({ type: 'pkcs1', format: 'pem' }));
}

function createCertificate(name: string, key: forge.pki.rsa.PrivateKey): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(8))}`;
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  certificate.validity.notBefore = new Date(Date.now() - 3_600_000);
  certificate.validity.notAfter = new Date(Date.now() + 86_400_000);
  certificate.setSubject([{ name: 'commonName', value: name }]);
  certificate.setIssuer([{ name: 'commonName', value: name }]);
  return certificate;
}
