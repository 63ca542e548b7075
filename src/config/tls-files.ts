import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { DatabaseUrl } from './database-url.ts';
import type { Problem } from './problem.ts';
import type { ConfigFiles, HttpConfig } from './server-config.ts';

/**
 * Checks that the files a configuration names can be read and, for HTTPS, that they are a certificate and its key. What
 * is not in use (no `listen_address`, `sslmode=disable`) is not looked at.
 */
export async function checkTlsFiles(
  { http, databaseUrl }: ConfigFiles,
  file: string,
  now: Date,
): Promise<{ problems: Problem[]; warnings: Problem[] }> {
  const reader = new FileReader(file);
  const warnings: Problem[] = [];

  const certificate = await readCertificate(reader, http);
  const key = await readKey(reader, http);
  if (certificate !== undefined && key !== undefined && !certificate.checkPrivateKey(key)) {
    reader.report(
      'http.tls_private_key',
      'must be the key of the certificate in http.tls_certificate',
      http.tlsPrivateKey,
    );
  }
  if (certificate !== undefined && certificate.validToDate < now) {
    const message = `expired on ${certificate.validToDate.toISOString().slice(0, 10)}: renew it`;
    warnings.push({ file, path: 'http.tls_certificate', message });
  }

  for (const name of listDatabaseFiles(databaseUrl)) await reader.read('database_url', name);
  return { problems: reader.problems, warnings };
}

/** The certificates and keys that a configuration names, whether they are in use or not. */
export function listTlsFiles({ http, databaseUrl }: ConfigFiles): string[] {
  return [http.tlsCertificate, http.tlsPrivateKey, ...listDatabaseFiles(databaseUrl)].filter(
    (name) => name !== undefined,
  );
}

/** Why a file could not be read, in words. */
export function describeReadError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return typeof code === 'string' ? code : 'reading failed';
}

/** Reads files, remembering what went wrong. */
class FileReader {
  readonly problems: Problem[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** The content of the named file; undefined, and a problem with the key `path`, when it cannot be read. */
  async read(path: string, name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(name);
    } catch (error) {
      this.report(path, `must be a file that this user can read: ${describeReadError(error)}`, name);
      return undefined;
    }
  }

  report(path: string, message: string, name: string | undefined): void {
    this.problems.push({ file: this.#file, path, message, found: JSON.stringify(name) });
  }
}

async function readCertificate(reader: FileReader, http: HttpConfig): Promise<X509Certificate | undefined> {
  if (http.listenAddress === undefined || http.tlsCertificate === undefined) return undefined;
  const pem = await reader.read('http.tls_certificate', http.tlsCertificate);
  if (pem === undefined) return undefined;
  try {
    return new X509Certificate(pem);
  } catch {
    reader.report('http.tls_certificate', 'must hold a certificate in PEM form', http.tlsCertificate);
    return undefined;
  }
}

async function readKey(reader: FileReader, http: HttpConfig): Promise<KeyObject | undefined> {
  if (http.listenAddress === undefined || http.tlsPrivateKey === undefined) return undefined;
  const pem = await reader.read('http.tls_private_key', http.tlsPrivateKey);
  if (pem === undefined) return undefined;
  try {
    return createPrivateKey(pem);
  } catch {
    reader.report(
      'http.tls_private_key',
      'must hold a private key in PEM form, without a passphrase',
      http.tlsPrivateKey,
    );
    return undefined;
  }
}

function listDatabaseFiles(database: DatabaseUrl | undefined): string[] {
  if (database === undefined || database.sslMode === 'disable') return [];
  const { sslRootCert, sslCert, sslKey } = database;
  return [sslRootCert === 'system' ? undefined : sslRootCert, sslCert, sslKey].filter(
    (name) => name !== undefined,
  );
}
