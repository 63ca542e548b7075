import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type forge from 'node-forge';
import type { Validity } from '../core/certificate-validity.ts';
import { createExtensions } from './extensions.ts';
import type { CertificateRole } from './extensions.ts';

type Forge = typeof forge;

/** ecdsa-with-SHA256, RFC 5758. Its AlgorithmIdentifier has no parameters, not even NULL. */
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

/** A certificate to be made. */
export interface CertificateRequest {
  role: CertificateRole;
  /** At most 64 characters (X.520, ub-common-name). */
  commonName: string;
  /** DNS names and IP addresses; servers only. */
  hostnames?: readonly string[];
  /** Who signs; itself when absent. */
  issuer?: IssuedCertificate;
  validity: Validity;
  /** PEM of the private key to certify once more; a fresh one when absent. */
  key?: string;
}

/** A certificate and its key, and what is needed to sign others with it. */
export interface IssuedCertificate {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS#8, not encrypted. */
  key: string;
  privateKey: KeyObject;
  commonName: string;
  /** Subject key identifier. */
  keyId: Buffer;
}

/**
 * Issues an X.509 v3 certificate for an ECDSA P-256 key. node-forge writes names, extensions and DER; it knows RSA
 * only, so that keys and signatures are Node's own. Loading node-forge takes some 30 ms, once.
 */
export async function issueCertificate(request: CertificateRequest): Promise<IssuedCertificate> {
  const { default: library } = await import('node-forge');
  const { commonName, issuer } = request;
  const privateKey =
    request.key === undefined
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
      : createPrivateKey(request.key);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const keyId = getKeyId(publicKey);
  const subject = { privateKey, commonName, keyId };

  const unsigned = createUnsigned(library, request, subject, issuer ?? subject);
  const der = signCertificate(library, unsigned, publicKey, (issuer ?? subject).privateKey);
  return {
    ...subject,
    certificate: formatPem('CERTIFICATE', der),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

type Party = Pick<IssuedCertificate, 'privateKey' | 'commonName' | 'keyId'>;

/** What forge can say about the certificate. Its key is a stand-in, and it has no signature. */
function createUnsigned(
  library: Forge,
  request: CertificateRequest,
  subject: Party,
  issuer: Party,
): forge.pki.Certificate {
  const { pki, jsbn } = library;
  const certificate = pki.createCertificate();
  certificate.serialNumber = createSerialNumber();
  certificate.validity.notBefore = request.validity.notBefore;
  certificate.validity.notAfter = request.validity.notAfter;
  certificate.setSubject(createName(library, subject));
  certificate.setIssuer(createName(library, issuer));
  certificate.setExtensions(createExtensions(library, request, subject.keyId, issuer.keyId));
  const one = new jsbn.BigInteger('1');
  certificate.publicKey = pki.setRsaPublicKey(one, one);
  certificate.signatureOid = ECDSA_WITH_SHA256;
  certificate.siginfo.algorithmOid = ECDSA_WITH_SHA256;
  certificate.signature = '';
  return certificate;
}

/** Puts the real algorithm and public key (SubjectPublicKeyInfo) in their places and signs; returns DER. */
function signCertificate(
  { asn1, pki }: Forge,
  unsigned: forge.pki.Certificate,
  publicKey: Buffer,
  signer: KeyObject,
): Buffer {
  const algorithm = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(ECDSA_WITH_SHA256).getBytes()),
  ]);
  const [tbs] = getChildren(pki.certificateToAsn1(unsigned));
  if (tbs === undefined) throw new TypeError('forge built no TBSCertificate');
  // TBSCertificate: version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, extensions.
  const fields = getChildren(tbs);
  fields[2] = algorithm;
  fields[6] = asn1.fromDer(publicKey.toString('latin1'));

  const signature = sign('sha256', Buffer.from(asn1.toDer(tbs).getBytes(), 'latin1'), signer);
  const bits = asn1.create(
    asn1.Class.UNIVERSAL,
    asn1.Type.BITSTRING,
    false,
    `\0${signature.toString('latin1')}`,
  );
  const certificate = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [tbs, algorithm, bits]);
  return Buffer.from(asn1.toDer(certificate).getBytes(), 'latin1');
}

function createName({ asn1 }: Forge, { commonName }: Party): forge.pki.CertificateField[] {
  // forge calls the string type a class; UTF8String, as RFC 5280 asks for.
  return [
    { name: 'commonName', value: commonName, valueTagClass: asn1.Type.UTF8 as unknown as forge.asn1.Class },
  ];
}

/** 128 bits, of which the first is 0 and the second 1: positive, and never shorter in DER. Hexadecimal. */
function createSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}

/** RFC 7093, method 1: the first 160 bits of the SHA-256 of the public key's bit string. */
function getKeyId(publicKey: Buffer): Buffer {
  // P-256: the last 65 bytes of the SubjectPublicKeyInfo are the uncompressed point.
  return createHash('sha256').update(publicKey.subarray(-65)).digest().subarray(0, 20);
}

function getChildren(node: forge.asn1.Asn1): forge.asn1.Asn1[] {
  if (typeof node.value === 'string') throw new TypeError('not a constructed ASN.1 value');
  return node.value;
}

function formatPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
