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

/** Root alone can write there, unlike in the directory for temporary files. */
const ROOT_DIRECTORY = '/run';

/**
 * Brings the database up to date and resolves to the names of the migrations that were run. Two at once wait for each
 * other (advisory lock). All pending migrations are one transaction: a failure leaves the tables as they were.
 */
export async function migrate(config: pg.ClientConfig, files: readonly MigrationFile[]): Promise<string[]> {
  // The files travel inside the executable, but node-pg-migrate reads a folder.
  const dir = await mkdtemp(
    join(process.geteuid?.() === 0 ? ROOT_DIRECTORY : tmpdir(), 'draupnir-migrations-'),
  );
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
      advisoryLockMode: 'wait',
      verbose: false,
      log: () => undefined,
    });
    return done.map((migration) => migration.name);
  } finally {
    await client.end();
    await rm(dir, { recursive: true, force: true });
  }
}

/**
 * Names of the migrations that `migrate` would run. Changes nothing and waits for nobody, unlike a dry run of
 * node-pg-migrate, which takes the lock and makes its table.
 */
export async function listPendingMigrations(
  config: pg.ClientConfig,
  files: readonly MigrationFile[],
): Promise<string[]> {
  const client = new pg.Client(config);
  try {
    await client.connect();
    const { rows: tables } = await client.query<{ exists: boolean }>(
      `SELECT to_regclass('${MIGRATIONS_TABLE}') IS NOT NULL AS exists`,
    );
    const { rows: done } = tables[0]?.exists
      ? await client.query<{ name: string }>(`SELECT name FROM ${MIGRATIONS_TABLE}`)
      : { rows: [] };
    const names = new Set(done.map((row) => row.name));
    return files.map((file) => basename(file.name, '.sql')).filter((name) => !names.has(name));
  } finally {
    await client.end();
  }
}
