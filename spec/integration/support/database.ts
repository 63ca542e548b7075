import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { inject } from 'vitest';
import { TEMPLATE_DATABASE } from './template.ts';

/** A database of one test file. */
export interface TestDatabase {
  config: pg.ClientConfig;
  /** Removes the database once its sessions have ended, and ends those that a test has forgotten. */
  drop(): Promise<void>;
}

/** A migrated database without rows, cloned from the template within some 50 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  return createDatabase(TEMPLATE_DATABASE);
}

/** A database with nothing in it at all, for tests of the migrations themselves. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabase('template0');
}

async function createDatabase(template: string): Promise<TestDatabase> {
  const database = `test_${randomBytes(8).toString('hex')}`;
  await execute(`CREATE DATABASE ${database} TEMPLATE ${template}`);
  return {
    config: { ...inject('cluster'), database },
    drop: async () => {
      await waitUntilUnused(database);
      await execute(`DROP DATABASE ${database} WITH (FORCE)`);
    },
  };
}

/**
 * A pool's `end` resolves before its connections are gone, and one that the server ends in this moment reports an error that
 * nobody listens for any more. What is still there after the deadline was forgotten by its test, and is ended.
 */
async function waitUntilUnused(database: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  const client = new pg.Client({ ...inject('cluster'), database: 'postgres' });
  await client.connect();
  try {
    for (;;) {
      const sql = 'SELECT FROM pg_stat_activity WHERE datname = $1 LIMIT 1';
      const { rowCount } = await client.query(sql, [database]);
      if (rowCount === 0 || performance.now() > deadline) return;
      await delay(10);
    }
  } finally {
    await client.end();
  }
}

/** A database cannot be made or removed from within. */
async function execute(sql: string): Promise<void> {
  const client = new pg.Client({ ...inject('cluster'), database: 'postgres' });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
