import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ImageStatus } from '../../../src/core/image.ts';
import { PgImageStore } from '../../../src/db/image-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const STATES = ['creating', 'pending', 'finalising', 'ready', 'failed', 'destroying'] as const;
const NEW = { backedUpAt: new Date('2017-05-01T12:00:00.789Z'), anonymisationScript: 'SELECT 1;\n-- ü🐘' };

let database: TestDatabase;
let pool: pg.Pool;
let store: PgImageStore;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool(database.config);
  store = new PgImageStore(pool);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(() => pool.query('TRUNCATE images CASCADE'));

async function addInState(status: ImageStatus): Promise<number> {
  const { id } = await store.insert(NEW);
  await pool.query('UPDATE images SET status = $2 WHERE id = $1', [id, status]);
  return id;
}

describe('the images in the database', () => {
  it('are being made when they are new, and keep time and script as they are', async () => {
    const image = await store.insert(NEW);
    expect(image).toMatchObject({ status: 'creating', failure: undefined, backedUpAt: NEW.backedUpAt });
    expect(Math.abs(image.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect(await store.find(image.id)).toEqual(image);
    expect(await store.getAnonymisationScript(image.id)).toBe(NEW.anonymisationScript);
    expect(await store.getVerificationScript(image.id)).toBe('');
  });

  it('have scripts replaced in the given states alone, each for itself', async () => {
    const id = await addInState('failed');
    await store.transition(id, ['failed'], 'failed', 'why', 'finalise_failed');
    const corrected = await store.replaceScripts(id, ['pending', 'failed'], {
      anonymisationScript: 'SELECT 2',
    });
    expect(corrected).toMatchObject({ id, status: 'failed', failure: 'why', failureKind: 'finalise_failed' });
    await store.replaceScripts(id, ['failed'], { verificationScript: 'SELECT 3' });
    expect(await store.getAnonymisationScript(id)).toBe('SELECT 2');
    expect(await store.getVerificationScript(id)).toBe('SELECT 3');
    expect(await store.replaceScripts(id, ['pending'], { anonymisationScript: '' })).toBeUndefined();
    expect(await store.replaceScripts(id + 1, ['failed'], { anonymisationScript: '' })).toBeUndefined();
    expect(await store.getAnonymisationScript(id)).toBe('SELECT 2');
  });

  it('keep their verification script as it is', async () => {
    const verificationScript = "SELECT 'ü🐘' WHERE false;\n";
    const { id } = await store.insert({ ...NEW, verificationScript });
    expect(await store.getVerificationScript(id)).toBe(verificationScript);
    await expect(store.getVerificationScript(id + 1)).rejects.toThrow(`image ${id + 1} has no record`);
  });

  it('are listed by id, in every state, also after changes', async () => {
    const ids = [];
    for (const state of STATES) ids.push(await addInState(state));
    await store.transition(ids[0] ?? 0, ['creating', 'pending'], 'finalising');
    expect((await store.list()).map((image) => image.id)).toEqual(ids);
  });

  it('count how often their preparation was begun since it was asked for', async () => {
    const id = await addInState('pending');
    const begin = async () => (await store.transition(id, STATES, 'finalising'))?.attempts;
    expect([await begin(), await begin(), await begin()]).toEqual([1, 2, 3]);
    expect(await store.transition(id, ['finalising'], 'failed', 'why')).toMatchObject({ attempts: 3 });
    expect([await begin(), await begin()]).toEqual([1, 2]);
  });

  it('never get an id again', async () => {
    const { id } = await store.insert(NEW);
    await store.delete(id);
    expect(await store.find(id)).toBeUndefined();
    expect((await store.insert(NEW)).id).toBeGreaterThan(id);
  });

  it('without a script, as the original may have left them, have an empty one', async () => {
    const { id } = await store.insert(NEW);
    await pool.query('UPDATE images SET anon = NULL WHERE id = $1', [id]);
    expect(await store.getAnonymisationScript(id)).toBe('');
    await expect(store.getAnonymisationScript(id + 1)).rejects.toThrow(`image ${id + 1} has no record`);
  });

  it.each(STATES)('move from %s only when that is asked for', async (state) => {
    const id = await addInState(state);
    const others = STATES.filter((other) => other !== state);
    expect(await store.transition(id, others, 'ready')).toBeUndefined();
    expect(await store.transition(id, [], 'ready')).toBeUndefined();
    expect((await store.find(id))?.status).toBe(state);
    expect(await store.transition(id, [state], 'destroying')).toMatchObject({ id, status: 'destroying' });
  });

  it('keep the reason of a failure until they move on', async () => {
    const id = await addInState('finalising');
    expect(await store.transition(id, ['finalising'], 'failed', 'line 3', 'finalise_failed')).toMatchObject({
      failure: 'line 3',
      failureKind: 'finalise_failed',
    });
    expect(await store.find(id)).toMatchObject({ failureKind: 'finalise_failed' });
    expect(await store.transition(id, ['failed'], 'finalising')).toMatchObject({
      failure: undefined,
      failureKind: undefined,
    });
  });

  it('keep the old column `ready` true to its meaning', async () => {
    const id = await addInState('finalising');
    const isReady = async (): Promise<unknown> =>
      (await pool.query<{ ready: boolean }>('SELECT ready FROM images WHERE id = $1', [id])).rows[0]?.ready;
    await store.transition(id, ['finalising'], 'ready');
    expect(await isReady()).toBe(true);
    await store.transition(id, ['ready'], 'destroying');
    expect(await isReady()).toBe(false);
  });

  it('are changed by one of many that try at once', async () => {
    const id = await addInState('pending');
    const tries = Array.from({ length: 20 }, () => store.transition(id, ['pending', 'failed'], 'finalising'));
    expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1);
  });

  it('that are gone are not changed, and may be deleted again', async () => {
    const id = await addInState('ready');
    await store.delete(id);
    await store.delete(id);
    expect(await store.transition(id, STATES, 'ready')).toBeUndefined();
  });

  it('are not deleted while they have instances', async () => {
    const id = await addInState('destroying');
    await pool.query(
      `INSERT INTO instances (image_id, port, created_at, updated_at) VALUES ($1, 6000, now(), now())`,
      [id],
    );
    await expect(store.delete(id)).rejects.toMatchObject({ code: '23503' });
  });

  it('keep whatever time a client may send', async () => {
    for (const time of ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z']) {
      const { id } = await store.insert({ ...NEW, backedUpAt: new Date(time) });
      expect((await store.find(id))?.backedUpAt).toEqual(new Date(time));
    }
  });
});
