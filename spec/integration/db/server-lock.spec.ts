import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ServerLock } from '../../../src/db/server-lock.ts';
import type { LockEvents } from '../../../src/db/server-lock.ts';
import { createTestDatabase } from '../support/database.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const ignore: LockEvents = { onLost: () => undefined, onRegained: () => undefined, onTaken: () => undefined };

/** Ends the connection that holds the lock. The cluster is shared: nobody else's backend may be ended. */
async function cutHolder(): Promise<void> {
  const admin = new pg.Client(database.config);
  await admin.connect();
  await admin.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_database ON pg_database.oid = database
     WHERE locktype = 'advisory' AND granted AND datname = current_database()`,
  );
  await admin.end();
}

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

  it('is taken again when its connection is lost', async () => {
    const lost = Promise.withResolvers<Error>();
    const regained = Promise.withResolvers<undefined>();
    const events = { ...ignore, onLost: lost.resolve, onRegained: () => regained.resolve(undefined) };
    await using lock = await ServerLock.acquire(database.config, events);
    await cutHolder();
    expect(await lost.promise).toBeInstanceOf(Error);
    await regained.promise;
    await expect(ServerLock.acquire(database.config, ignore, 50)).rejects.toThrow(/another server/);
    expect(lock).toBeInstanceOf(ServerLock);
  });

  it('tells when another server has taken it meanwhile', async () => {
    const taken = Promise.withResolvers<Error>();
    await using first = await ServerLock.acquire(database.config, { ...ignore, onTaken: taken.resolve }, 50);
    // It waits in the queue of the lock, and is next when the first is cut.
    const waiting = ServerLock.acquire(database.config, ignore, 60_000);
    await waitForWaiter();
    await cutHolder();
    await using second = await waiting;
    expect((await taken.promise).message).toMatch(/another server uses this database/);
    expect([first, second]).toHaveLength(2);
  });

  it('is not kept by a server that has ended while it waited to get it back', async () => {
    const first = await ServerLock.acquire(database.config, ignore, 60_000);
    const waiting = ServerLock.acquire(database.config, ignore, 60_000);
    await waitForWaiter();
    await cutHolder();
    const second = await waiting;
    await waitForWaiter();
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
    await using third = await ServerLock.acquire(database.config, ignore);
    expect(third).toBeInstanceOf(ServerLock);
  });
});

async function waitForWaiter(): Promise<void> {
  const admin = new pg.Client(database.config);
  await admin.connect();
  await vi.waitUntil(async () => {
    const { rowCount } = await admin.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`,
    );
    return rowCount === 1;
  });
  await admin.end();
}
