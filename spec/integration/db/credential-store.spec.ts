import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PgCredentialStore } from '../../../src/db/credential-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const BOX = Buffer.from([0, 1, 255, 92, 120]);
const OTHER = Buffer.from([0, 1, 255, 92, 121]);

let database: TestDatabase;
let pool: pg.Pool;
let store: PgCredentialStore;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool(database.config);
  store = new PgCredentialStore(pool);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(async () => {
  await pool.query('TRUNCATE images CASCADE');
  await pool.query(`INSERT INTO images (id, backed_up_at, created_at, updated_at, status, ready)
    VALUES (1, now(), now(), now(), 'ready', true)`);
});

async function insert(id: number, status: string, credentials: Buffer | null): Promise<void> {
  await pool.query(
    `INSERT INTO instances (id, image_id, port, user_email, created_at, updated_at, status, credentials)
     VALUES ($1, 1, 6000 + $1::int, 'ada@example.com', now(), now(), $2, $3)`,
    [id, status, credentials],
  );
}

async function readBox(id: number): Promise<Buffer | undefined> {
  const sql = 'SELECT credentials FROM instances WHERE id = $1';
  const { rows } = await pool.query<{ credentials: Buffer }>(sql, [id]);
  return rows[0]?.credentials;
}

describe('the credentials of instances', () => {
  it('are listed in order, but for what nobody was told of, what goes away, and what Draupnir 5.3 made', async () => {
    await insert(4, 'ready', OTHER);
    await insert(2, 'ready', BOX);
    await insert(3, 'ready', null);
    await insert(5, 'creating', BOX);
    await insert(6, 'destroying', BOX);
    expect(await store.list()).toEqual([
      { instance: { id: 2, port: 6002 }, box: BOX },
      { instance: { id: 4, port: 6004 }, box: OTHER },
    ]);
  });

  it('are replaced when they are what was expected', async () => {
    await insert(2, 'ready', BOX);
    expect(await store.replace(2, OTHER, OTHER)).toBe(false);
    expect(await readBox(2)).toEqual(BOX);
    expect(await store.replace(2, BOX, OTHER)).toBe(true);
    expect(await readBox(2)).toEqual(OTHER);
    expect(await store.replace(3, BOX, OTHER)).toBe(false);
  });

  it.each(['creating', 'destroying'])('are not replaced while their instance is %s', async (status) => {
    await insert(2, status, BOX);
    expect(await store.replace(2, BOX, OTHER)).toBe(false);
  });

  it('are replaced by one of two who try at the same time', async () => {
    await insert(2, 'ready', BOX);
    const next = [1, 2, 3, 4].map((byte) => Buffer.from([byte]));
    const outcomes = await Promise.all(next.map((box) => store.replace(2, BOX, box)));
    expect(outcomes.filter(Boolean)).toHaveLength(1);
    expect(await readBox(2)).toEqual(next[outcomes.indexOf(true)]);
  });
});
