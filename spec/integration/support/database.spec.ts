import pg from 'pg';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from './database.ts';

const made: TestDatabase[] = [];

async function query(config: pg.ClientConfig, sql: string): Promise<unknown[]> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function create(how: () => Promise<TestDatabase>): Promise<TestDatabase> {
  const database = await how();
  made.push(database);
  return database;
}

afterEach(async () => {
  for (const database of made.splice(0)) await database.drop();
});

describe('a test database', () => {
  it('is migrated and has no rows', async () => {
    const { config } = await create(createTestDatabase);
    expect(await query(config, 'SELECT count(*)::int AS count FROM images')).toEqual([{ count: 0 }]);
  });

  it('is not seen by another one, even when both are made at once', async () => {
    const [one, two] = await Promise.all([create(createTestDatabase), create(createTestDatabase)]);
    await query(one.config, 'CREATE TABLE mine ()');
    const tables = "SELECT FROM pg_tables WHERE tablename = 'mine'";
    expect(await query(one.config, tables)).toHaveLength(1);
    expect(await query(two.config, tables)).toHaveLength(0);
  });

  it('holds nothing when an empty one is asked for', async () => {
    const { config } = await create(createEmptyDatabase);
    expect(await query(config, "SELECT FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  });

  it('is gone after drop, with sessions that are still open', async () => {
    const database = await createTestDatabase();
    const { config } = database;
    const client = new pg.Client(config);
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    const ended = new Promise((resolve) => client.once('end', resolve));
    await client.connect();
    await database.drop();
    await ended;
    // 57P01: terminated by an administrator's command.
    expect(errors[0]).toMatchObject({ code: '57P01' });
    const left = `SELECT FROM pg_database WHERE datname = '${config.database ?? ''}'`;
    expect(await query({ ...inject('cluster'), database: 'postgres' }, left)).toEqual([]);
  });
});
