import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { inspectDatabase } from '../../../src/db/inspect-database.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/database.ts';

let migrated: TestDatabase;
let empty: TestDatabase;
beforeAll(async () => {
  [migrated, empty] = await Promise.all([createTestDatabase(), createEmptyDatabase()]);
});
afterAll(() => Promise.all([migrated.drop(), empty.drop()]));

async function execute({ config }: TestDatabase, ...statements: string[]): Promise<void> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    for (const sql of statements) await client.query(sql);
  } finally {
    await client.end();
  }
}

describe('inspectDatabase', () => {
  it('describes a database that the user owns', async () => {
    const facts = await inspectDatabase(empty.config);
    expect(facts).toEqual({
      version: expect.stringMatching(/^\d+\.\d+/) as string,
      versionNumber: expect.any(Number) as number,
      user: 'postgres',
      database: empty.config.database,
      schema: 'public',
      canCreate: true,
      instancePorts: [],
    });
    expect(Math.trunc(facts.versionNumber / 10_000)).toBe(Number.parseInt(facts.version, 10));
  });

  it('lists the ports of instances', async () => {
    await execute(
      migrated,
      'INSERT INTO images (backed_up_at, created_at, updated_at) VALUES (now(), now(), now())',
      `INSERT INTO instances (image_id, created_at, updated_at, port, user_email)
       SELECT id, now(), now(), port, 'ada@example.com' FROM images, (VALUES (7001), (NULL), (7002)) ports (port)`,
    );
    const { instancePorts } = await inspectDatabase(migrated.config);
    expect([...instancePorts].sort()).toEqual([7001, 7002]);
  });

  it('sees that a user may create no tables, or has no schema', async () => {
    await execute(empty, 'REVOKE CREATE ON SCHEMA public FROM PUBLIC', 'CREATE ROLE inspected LOGIN');
    const config = { ...empty.config, user: 'inspected' };
    expect(await inspectDatabase(config)).toMatchObject({
      user: 'inspected',
      schema: 'public',
      canCreate: false,
    });
    const lost = { ...config, options: '-c search_path=nowhere' };
    expect(await inspectDatabase(lost)).toMatchObject({ schema: null, canCreate: false });
    await execute(empty, 'DROP ROLE inspected');
  });

  it('throws what the connection fails with', async () => {
    const config = { ...inject('cluster'), database: 'missing' };
    await expect(inspectDatabase(config)).rejects.toMatchObject({ code: '3D000' });
  });
});
