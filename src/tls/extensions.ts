import { isIP } from 'node:net';
import type forge from 'node-forge';

/** What a certificate may be used for. */
export type CertificateRole = 'ca' | 'server' | 'client';

/** GeneralName tags of RFC 5280. */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

const USAGE: Readonly<Record<CertificateRole, readonly object[]>> = {
  ca: [
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
  ],
  server: [
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true },
    { name: 'extKeyUsage', serverAuth: true },
  ],
  client: [
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true },
    { name: 'extKeyUsage', clientAuth: true },
  ],
};

/** The extensions of a certificate, in forge's words (RFC 5280, section 4.2, also for which are critical). */
export function createExtensions(
  { asn1 }: typeof forge,
  { role, hostnames = [] }: { role: CertificateRole; hostnames?: readonly string[] },
  subjectKeyId: Buffer,
  issuerKeyId: Buffer,
): object[] {
  const keyId = subjectKeyId.toString('latin1');
  return [
    ...USAGE[role],
    // forge would compute the identifier from an RSA key.
    {
      name: 'subjectKeyIdentifier',
      value: asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, keyId),
    },
    { name: 'authorityKeyIdentifier', keyIdentifier: issuerKeyId.toString('latin1') },
    ...(hostnames.length > 0 ? [{ name: 'subjectAltName', altNames: hostnames.map(createAltName) }] : []),
  ];
}

function createAltName(hostname: string): object {
  switch (isIP(hostname)) {
    case 0:
      return { type: DNS_NAME, value: hostname };
    case 4:
      return { type: IP_ADDRESS, ip: hostname };
    default:
      // URL writes every IPv6 address in the hexadecimal form that forge can read.
      return { type: IP_ADDRESS, ip: new URL(`http://[${hostname}]`).hostname.slice(1, -1) };
  }
}
