import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PgRecordReader } from '../../../src/db/record-reader.ts';
import { ServerLock } from '../../../src/db/server-lock.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const ignore = (): void => undefined;
const EVENTS = { onLost: ignore, onRegained: ignore, onTaken: ignore };

let database: TestDatabase;
let admin: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  admin = new pg.Client(database.config);
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});

describe('the records that doctor reads', () => {
  it('are all images, instances and addresses, whatever their state', async () => {
    await admin.query(`
      INSERT INTO images (id, backed_up_at, created_at, updated_at, status) VALUES
        (3, now(), now(), now() - interval '90 s', 'ready'), (2, now(), now(), now() + interval '1 h', 'failed');
      INSERT INTO instances (id, image_id, created_at, updated_at, port, user_email, status, credentials) VALUES
        (7, 3, now(), now(), 7007, 'ada@example.com', 'destroying', '\\x0102'),
        (8, 3, now(), now(), NULL, NULL, 'ready', NULL);
      INSERT INTO whitelisted_addresses VALUES ('192.0.2.1', 7, now(), now()), ('2001:db8::1', 8, now(), now());`);
    await using reader = await PgRecordReader.connect(database.config);
    const records = await reader.read();
    expect(records).toMatchObject({
      images: [
        { id: 2, status: 'failed', ageMs: 0 },
        { id: 3, status: 'ready' },
      ],
      instances: [
        { id: 7, imageId: 3, port: 7007, userEmail: 'ada@example.com', status: 'destroying' },
        { id: 8, port: 0, userEmail: '', status: 'ready', credentials: null },
      ],
      addresses: [
        { instanceId: 7, address: '192.0.2.1' },
        { instanceId: 8, address: '2001:db8::1' },
      ],
    });
    expect(records.instances[0]?.credentials).toEqual(Buffer.from([1, 2]));
    expect(records.images[1]?.ageMs).toBeGreaterThanOrEqual(90_000);
  });

  it('tell whether a server uses this database', async () => {
    await using reader = await PgRecordReader.connect(database.config);
    expect(await reader.read()).toMatchObject({ serverRuns: false });
    {
      await using lock = await ServerLock.acquire(database.config, EVENTS);
      expect(lock).toBeInstanceOf(ServerLock);
      expect(await reader.read()).toMatchObject({ serverRuns: true });
    }
    await expect.poll(async () => (await reader.read()).serverRuns).toBe(false);
  });

  it('do not take the server of another database for one of this', async () => {
    const other = await createTestDatabase();
    {
      await using lock = await ServerLock.acquire(other.config, EVENTS);
      await using reader = await PgRecordReader.connect(database.config);
      expect(lock).toBeInstanceOf(ServerLock);
      expect(await reader.read()).toMatchObject({ serverRuns: false });
    }
    await other.drop();
  });

  it('cannot be changed by reading them', async () => {
    await using reader = await PgRecordReader.connect(database.config);
    const before = await admin.query('SELECT xmin, * FROM instances ORDER BY id');
    await reader.read();
    expect((await admin.query('SELECT xmin, * FROM instances ORDER BY id')).rows).toEqual(before.rows);
  });
});
