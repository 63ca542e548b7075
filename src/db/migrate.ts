import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { runner } from 'node-pg-migrate';
import pg from 'pg';

/** One migration file: its name, which starts with its number, and its SQL with up and down parts. */
export interface MigrationFile {
  name: string;
  content: Buffer;
}

/** Table in which node-pg-migrate keeps what was done; the original's `gorp_migrations` stays as it is. */
const MIGRATIONS_TABLE = 'draupnir_migrations';

/**
 * Brings the database up to date and resolves to the names of the migrations that were run. Two at once wait for each
 * other (advisory lock). All pending migrations are one transaction: a failure leaves the database as it was.
 */
export async function migrate(config: pg.ClientConfig, files: readonly MigrationFile[]): Promise<string[]> {
  return withRunner(config, files, false);
}

/** Names of the migrations that `migrate` would run. Changes nothing. */
export async function listPendingMigrations(
  config: pg.ClientConfig,
  files: readonly MigrationFile[],
): Promise<string[]> {
  return withRunner(config, files, true);
}

async function withRunner(
  config: pg.ClientConfig,
  files: readonly MigrationFile[],
  dryRun: boolean,
): Promise<string[]> {
  // The files travel inside the executable, but node-pg-migrate reads a folder.
  const dir = await mkdtemp(join(tmpdir(), 'draupnir-migrations-'));
  const client = new pg.Client(config);
  try {
    for (const file of files) await writeFile(join(dir, basename(file.name)), file.content);
    await client.connect();
    const done = await runner({
      dbClient: client,
      dir,
      direction: 'up',
      migrationsTable: MIGRATIONS_TABLE,
      checkOrder: true,
      singleTransaction: true,
      dryRun,
      verbose: false,
      log: () => undefined,
    });
    return done.map((migration) => migration.name);
  } finally {
    await client.end();
    await rm(dir, { recursive: true, force: true });
  }
}
