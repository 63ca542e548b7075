import { readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';

const DAMAGE = join(import.meta.dirname, '../../../scripts/sql/damage.sql');
/** Bytes (PostgreSQL manual, block_size). */
const BLOCK = 8192;

let database: TestDatabase;
let client: pg.Client;

beforeEach(async () => {
  database = await createEmptyDatabase();
  client = new pg.Client(database.config);
  await client.connect();
  // 20 blocks.
  const rows = `SELECT repeat('x', 1000) AS text FROM generate_series(1, 140)`;
  await client.query(
    `CREATE TABLE wide AS ${rows}; CREATE UNLOGGED TABLE unlogged AS ${rows}; CREATE SEQUENCE s`,
  );
  await client.query('ANALYZE');
  await client.query('CHECKPOINT');
});

afterEach(async () => {
  await client.end();
  await database.drop();
});

/** The path of a relation's file below the data directory, and the file itself. */
async function findFile(relation: string): Promise<{ path: string; file: string }> {
  const sql = `SELECT pg_relation_filepath($1) AS path, current_setting('data_directory') AS data`;
  const { rows } = await client.query<{ path: string; data: string }>(sql, [relation]);
  const [{ path, data }] = rows as [{ path: string; data: string }];
  return { path, file: join(data, path) };
}

async function listDamaged(): Promise<unknown[]> {
  const { rows } = await client.query<Record<string, unknown>>(await readFile(DAMAGE, 'utf8'));
  return rows.map((row) => row['pg_relation_filepath']);
}

describe('the check of the files of a backup', () => {
  it('finds nothing in a database that is whole', async () => {
    expect(await listDamaged()).toEqual([]);
  });

  it.each([
    ['is cut between two blocks', 'wide', (file: string) => truncate(file, 10 * BLOCK)],
    ['is cut inside a block', 'wide', (file: string) => truncate(file, 20 * BLOCK - 4096)],
    ['is missing', 'wide', (file: string) => rm(file)],
    ['is that of a sequence, cut inside its block', 's', (file: string) => truncate(file, 4096)],
  ])('names the file that %s', async (_what, relation, damage) => {
    const { path, file } = await findFile(relation);
    await damage(file);
    expect(await listDamaged()).toEqual([path]);
  });

  it('passes over an unlogged table, which recovery empties', async () => {
    const { file } = await findFile('unlogged');
    await truncate(file, 0);
    expect(await listDamaged()).toEqual([]);
  });
});
