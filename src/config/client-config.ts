import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import type { ClientConfig } from 'pg';
import type { DatabaseUrl } from './database-url.ts';

/**
 * What `pg` needs to connect. The password is handed over as a function, so that printing the object shows nothing.
 * Rejects when a certificate or key file cannot be read.
 */
export async function createClientConfig(database: DatabaseUrl): Promise<ClientConfig> {
  const { host, port, user, password, options, applicationName, connectTimeoutMs } = database;
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(user !== undefined && { user }),
    ...(database.database !== undefined && { database: database.database }),
    ...(password !== undefined && { password: () => password.reveal() }),
    ...(options !== undefined && { options }),
    ...(applicationName !== undefined && { application_name: applicationName }),
    ...(connectTimeoutMs !== undefined && { connectionTimeoutMillis: connectTimeoutMs }),
    ssl: database.sslMode === 'disable' ? false : await createTlsOptions(database),
  };
}

async function createTlsOptions({
  sslMode,
  sslRootCert,
  sslCert,
  sslKey,
}: DatabaseUrl): Promise<ConnectionOptions> {
  return {
    // `require` encrypts without asking who answers; `verify-ca` asks for the CA but not for the name.
    ...(sslMode === 'require' && { rejectUnauthorized: false }),
    ...(sslMode === 'verify-ca' && { checkServerIdentity: () => undefined }),
    ...(sslRootCert === 'system' && { ca: getCACertificates('system') }),
    ...(sslRootCert !== undefined && sslRootCert !== 'system' && { ca: await readFile(sslRootCert) }),
    ...(sslCert !== undefined && { cert: await readFile(sslCert) }),
    ...(sslKey !== undefined && { key: await readFile(sslKey) }),
  };
}
