import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { FileReader } from './file-reader.ts';
import type { Problem } from './problem.ts';
import type { HttpConfig } from './server-config.ts';

/** The API's certificate, perhaps with its chain, and its key: what the files hold, and the certificate read. */
export interface TlsPair {
  readonly certificate: X509Certificate;
  readonly certificatePem: Buffer;
  readonly keyPem: Buffer;
}

/** What the files of the API came to, where it speaks HTTPS. */
export interface ReadTlsPair {
  /** As far as it can be read, also when its key is a problem. */
  readonly certificate?: X509Certificate;
  /** When certificate and key match. */
  readonly pair?: TlsPair;
  readonly problems: Problem[];
}

/** Reads the certificate and the key of the API, if it speaks HTTPS. */
export async function readTlsPair(http: HttpConfig, file: string): Promise<ReadTlsPair> {
  const reader = new FileReader(file);
  const { problems } = reader;
  const certificate = await readCertificate(reader, http);
  const key = await readKey(reader, http);
  if (!certificate) return { problems };
  const read = { certificate: certificate.parsed, problems };
  if (!key) return read;
  if (!certificate.parsed.checkPrivateKey(key.parsed)) {
    reader.report(
      'http.tls_private_key',
      'must be the key of the certificate in http.tls_certificate',
      http.tlsPrivateKey,
    );
    return read;
  }
  const pair = { certificate: certificate.parsed, certificatePem: certificate.pem, keyPem: key.pem };
  return { ...read, pair };
}

/** A file, and what it holds. */
interface Parsed<T> {
  readonly pem: Buffer;
  readonly parsed: T;
}

async function readCertificate(
  reader: FileReader,
  http: HttpConfig,
): Promise<Parsed<X509Certificate> | undefined> {
  if (http.listenAddress === undefined || http.tlsCertificate === undefined) return undefined;
  const pem = await reader.read('http.tls_certificate', http.tlsCertificate);
  if (pem === undefined) return undefined;
  try {
    return { pem, parsed: new X509Certificate(pem) };
  } catch {
    reader.report('http.tls_certificate', 'must hold a certificate in PEM form', http.tlsCertificate);
    return undefined;
  }
}

async function readKey(reader: FileReader, http: HttpConfig): Promise<Parsed<KeyObject> | undefined> {
  if (http.listenAddress === undefined || http.tlsPrivateKey === undefined) return undefined;
  const pem = await reader.read('http.tls_private_key', http.tlsPrivateKey);
  if (pem === undefined) return undefined;
  try {
    return { pem, parsed: createPrivateKey(pem) };
  } catch {
    reader.report(
      'http.tls_private_key',
      'must hold a private key in PEM form, without a passphrase',
      http.tlsPrivateKey,
    );
    return undefined;
  }
}
