import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashToken } from '../../../src/auth/session-token.ts';
import { PgSessionStore } from '../../../src/db/session-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let pool: pg.Pool;
let store: PgSessionStore;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool(database.config);
  store = new PgSessionStore(pool);
  await pool.query(
    `INSERT INTO images (id, backed_up_at, created_at, updated_at, status) VALUES (1, now(), now(), now(), 'ready')`,
  );
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

function insert(userEmail: string, token: string): Promise<number> {
  return store.insert({ tokenHash: hashToken(token), userEmail, sealedGrant: Buffer.from('sealed') });
}

async function addInstance(id: number, userEmail: string, grant: string, session?: number): Promise<void> {
  await pool.query(
    `INSERT INTO instances (id, image_id, created_at, updated_at, port, user_email, refresh_token, session_id)
     VALUES ($1, 1, now(), now(), 7000 + $1, $2, $3, $4)`,
    [id, userEmail, grant, session],
  );
}

describe('the sessions of an owner', () => {
  it('are those under the address, and those that an instance of the owner was created with', async () => {
    const own = await insert('ada@example.com', 'one');
    const renamed = await insert('ada.old@example.com', 'two');
    await insert('bob@example.com', 'three');
    await addInstance(1, 'ada@example.com', '', renamed);
    const found = await store.listByOwner('ada@example.com');
    expect(found.map(({ id }) => id)).toEqual([own, renamed]);
  });
});

describe('the session of an original grant', () => {
  it('is given to those of its instances that have none', async () => {
    const earlier = await insert('eve@example.com', 'four');
    const session = await insert('eve@example.com', 'five');
    const grant = { userEmail: 'eve@example.com', refreshToken: 'grant' };
    await addInstance(2, grant.userEmail, grant.refreshToken, earlier);
    await addInstance(3, grant.userEmail, grant.refreshToken);
    await addInstance(4, grant.userEmail, 'another grant');
    await addInstance(5, 'bob@example.com', grant.refreshToken);
    await store.assign(grant, session);
    const { rows } = await pool.query<{ id: number; session_id: number | null }>(
      'SELECT id, session_id FROM instances WHERE id BETWEEN 2 AND 5 ORDER BY id',
    );
    expect(rows.map((row) => row.session_id)).toEqual([earlier, session, null, null]);
  });
});
