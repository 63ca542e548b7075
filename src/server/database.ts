import type pg from 'pg';
import { listAssets, readAsset } from '../assets.ts';
import { createClientConfig } from '../config/client-config.ts';
import type { DatabaseUrl } from '../config/database-url.ts';
import type { MigrationFile } from '../db/migrate.ts';

/** Longest wait for a connection, in milliseconds, unless the URL says otherwise. */
const CONNECT_TIMEOUT_MS = 10_000;

/** What `draupnir env` sets. */
const OF_INSTANCE = [
  'PGHOST',
  'PGPORT',
  'PGUSER',
  'PGPASSWORD',
  'PGDATABASE',
  'PGSSLMODE',
  'PGSSLROOTCERT',
  'PGSSLCERT',
  'PGSSLKEY',
];

/** Connection settings for the metadata database. */
export async function createDatabaseConfig(url: DatabaseUrl): Promise<pg.ClientConfig> {
  forgetInstance(process.env);
  return { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...(await createClientConfig(url)) };
}

/**
 * In the shell of somebody who uses an instance, its port and keys would stand in for what `database_url` leaves out. What an operator has
 * set for the database itself stays.
 */
export function forgetInstance(env: NodeJS.ProcessEnv): void {
  // As `draupnir env` writes it (contract: command line).
  if (!/\/draupnir-\d+-[^/]+\/client\.key$/.test(env.PGSSLKEY ?? '')) return;
  for (const name of OF_INSTANCE) Reflect.deleteProperty(env, name);
}

/** The migrations that travel with the program. */
export function listMigrations(): MigrationFile[] {
  return listAssets('migrations').map((name) => ({ name, content: readAsset(name) }));
}
