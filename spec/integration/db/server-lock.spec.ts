import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerLock } from '../../../src/db/server-lock.ts';
import { createTestDatabase } from '../support/database.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const ignore = (): void => undefined;

describe('the lock of the one server', () => {
  it('is refused to a second server, and free again when the first has ended', async () => {
    const first = await ServerLock.acquire(database.config, ignore);
    await expect(ServerLock.acquire(database.config, ignore, 50)).rejects.toThrow(
      /another server uses this database/,
    );
    await first[Symbol.asyncDispose]();
    await using second = await ServerLock.acquire(database.config, ignore, 50);
    expect(second).toBeInstanceOf(ServerLock);
  });

  it('tells when its connection is lost', async () => {
    const lost = Promise.withResolvers<Error>();
    await using lock = await ServerLock.acquire(database.config, (error) => lost.resolve(error));
    const admin = new pg.Client(database.config);
    await admin.connect();
    // The cluster is shared: nobody else's backend may be ended.
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database
       WHERE locktype = 'advisory' AND datname = current_database()`,
    );
    await admin.end();
    expect(await lost.promise).toBeInstanceOf(Error);
    expect(lock).toBeInstanceOf(ServerLock);
  });
});
