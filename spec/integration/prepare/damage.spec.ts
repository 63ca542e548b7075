import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkDamage } from '../../../src/prepare/sql/damage.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';

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

/** The reason, or undefined. */
async function findDamage(isVerified = false): Promise<string | undefined> {
  const run = async <Row extends pg.QueryResultRow>(_step: string, sql: string): Promise<Row[]> =>
    (await client.query<Row>(sql)).rows;
  return checkDamage({ run }, isVerified).then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
}

const describeDamage = (path: string, relation: string): string =>
  `the backup is damaged: ${path} is shorter than its table, ${relation}; take another backup`;

describe('the check of the files of a backup', () => {
  it('finds nothing in a database that is whole', async () => {
    expect(await findDamage()).toBeUndefined();
  });

  it.each([
    ['is cut between two blocks', 'wide', (file: string) => truncate(file, 10 * BLOCK)],
    ['is cut inside a block', 'wide', (file: string) => truncate(file, 20 * BLOCK - 4096)],
    ['is missing', 'wide', (file: string) => rm(file)],
    ['is that of a sequence, cut inside its block', 's', (file: string) => truncate(file, 4096)],
  ])('names the file that %s', async (_what, relation, damage) => {
    const { path, file } = await findFile(relation);
    await damage(file);
    expect(await findDamage()).toBe(describeDamage(path, relation));
  });

  it('passes over an unlogged table, which recovery empties', async () => {
    const { file } = await findFile('unlogged');
    await truncate(file, 0);
    expect(await findDamage()).toBeUndefined();
  });

  it('believes the files that are as their manifest says, whatever number of blocks is noted', async () => {
    await client.query(`SET allow_system_table_mods = on`);
    await client.query(`UPDATE pg_class SET relpages = 500 WHERE oid = 'wide'::regclass`);
    const { path, file } = await findFile('wide');
    expect(await findDamage()).toBe(describeDamage(path, 'wide'));
    expect(await findDamage(true)).toBeUndefined();
    await truncate(file, 20 * BLOCK - 4096);
    expect(await findDamage(true)).toBe(describeDamage(path, 'wide'));
  });
});
