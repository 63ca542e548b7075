import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { TEMPLATE_DATABASE } from './template.ts';

/** A database of one test file. */
export interface TestDatabase {
  config: pg.ClientConfig;
  /** Removes the database and ends the sessions that are left in it. */
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
    drop: () => execute(`DROP DATABASE ${database} WITH (FORCE)`),
  };
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
