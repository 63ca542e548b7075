import type pg from 'pg';
import { listAssets, readAsset } from '../assets.ts';
import { createClientConfig } from '../config/client-config.ts';
import type { DatabaseUrl } from '../config/database-url.ts';
import type { MigrationFile } from '../db/migrate.ts';

/** Longest wait for a connection, in milliseconds, unless the URL says otherwise. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Connection settings for the metadata database. */
export async function createDatabaseConfig(url: DatabaseUrl): Promise<pg.ClientConfig> {
  return { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...(await createClientConfig(url)) };
}

/** The migrations that travel with the program. */
export function listMigrations(): MigrationFile[] {
  return listAssets('migrations').map((name) => ({ name, content: readAsset(name) }));
}
