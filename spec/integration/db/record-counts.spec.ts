import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NOBODY } from '../../../src/core/instance.ts';
import { PgImageStore } from '../../../src/db/image-store.ts';
import { PgInstanceStore } from '../../../src/db/instance-store.ts';
import { PgRecordCounts } from '../../../src/db/record-counts.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool(database.config);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

it('records are counted by state, and there is a 0 where there is none', async () => {
  const counts = new PgRecordCounts(pool);
  const images = new PgImageStore(pool);
  const instances = new PgInstanceStore(pool);
  expect(Object.fromEntries(await counts.countImages())).toEqual({
    creating: 0,
    pending: 0,
    finalising: 0,
    ready: 0,
    failed: 0,
    destroying: 0,
  });
  const none = { creating: 0, ready: 0, stopped: 0, failed: 0, destroying: 0, warm: 0 };
  expect(Object.fromEntries(await counts.countInstances())).toEqual(none);

  const { id: imageId } = await images.insert({ backedUpAt: new Date(), anonymisationScript: '' });
  await images.transition(imageId, ['creating'], 'ready');
  await images.insert({ backedUpAt: new Date(), anonymisationScript: '' });
  expect(Object.fromEntries(await counts.countImages())).toMatchObject({ creating: 1, ready: 1, failed: 0 });

  const insert = (userEmail: string) =>
    instances.insert({ userEmail, imageId }, { min: 6000, max: 6030 }, new Set());
  await instances.open((await insert('ada@example.com')).id, Buffer.of(1));
  await instances.open((await insert('ada@example.com')).id, Buffer.of(1));
  await instances.open((await insert(NOBODY)).id, Buffer.of(1));
  // What Draupnir 5.3 made may lack an owner, and waits for nobody.
  await instances.open((await insert(NOBODY)).id);
  await insert('ada@example.com');
  expect(Object.fromEntries(await counts.countInstances())).toEqual({
    ...none,
    creating: 1,
    ready: 3,
    warm: 1,
  });
});
