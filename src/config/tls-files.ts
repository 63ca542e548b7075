import type { DatabaseUrl } from './database-url.ts';
import { FileReader } from './file-reader.ts';
import type { Problem } from './problem.ts';
import type { ConfigFiles } from './server-config.ts';
import { readTlsPair, type ReadTlsPair } from './tls-pair.ts';

/** What the files that a configuration names came to. */
export interface CheckedTlsFiles extends ReadTlsPair {
  readonly warnings: Problem[];
}

/**
 * Checks that the files a configuration names can be read and, for HTTPS, that they are a certificate and its key. What
 * is not in use (no `listen_address`, `sslmode=disable`) is not looked at.
 */
export async function checkTlsFiles(
  { http, databaseUrl }: ConfigFiles,
  file: string,
  now: Date,
): Promise<CheckedTlsFiles> {
  const read = await readTlsPair(http, file);
  const warnings: Problem[] = [];
  if (read.certificate && read.certificate.validToDate < now) {
    const message = `expired on ${formatDay(read.certificate.validToDate)}: renew it`;
    warnings.push({ file, path: 'http.tls_certificate', message });
  }
  const reader = new FileReader(file);
  for (const name of listDatabaseFiles(databaseUrl)) await reader.read('database_url', name);
  return { ...read, problems: [...read.problems, ...reader.problems], warnings };
}

/** The day of a certificate's end, in UTC. */
export function formatDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** The certificates and keys that a configuration names, whether they are in use or not. */
export function listTlsFiles({ http, databaseUrl }: ConfigFiles): string[] {
  return [http.tlsCertificate, http.tlsPrivateKey, ...listDatabaseFiles(databaseUrl)].filter(
    (name) => name !== undefined,
  );
}

function listDatabaseFiles(database: DatabaseUrl | undefined): string[] {
  if (database === undefined || database.sslMode === 'disable') return [];
  const { sslRootCert, sslCert, sslKey } = database;
  return [sslRootCert === 'system' ? undefined : sslRootCert, sslCert, sslKey].filter(
    (name) => name !== undefined,
  );
}
