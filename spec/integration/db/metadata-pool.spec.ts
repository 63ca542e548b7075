import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMetadataPool } from '../../../src/db/metadata-pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const UNAVAILABLE = { name: 'DomainError', kind: 'database_unavailable' };
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

let database: TestDatabase;
let pool: pg.Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createMetadataPool(database.config, quiet);
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

/** Ends all connections of the pool, as a restart of Postgres does. */
async function cutConnections(): Promise<void> {
  const admin = new pg.Client(database.config);
  await admin.connect();
  await admin.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  await admin.end();
}

describe('the pool of the metadata database', () => {
  it('answers', async () => {
    expect((await pool.query('SELECT $1::int AS one', [1])).rows).toEqual([{ one: 1 }]);
  });

  it('says that the database is not to be had when a query is cut, and goes on afterwards', async () => {
    const cut = pool.query('SELECT pg_sleep(60)').catch((error: unknown) => error);
    await vi.waitUntil(async () => {
      const { rowCount } = await pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
      );
      return rowCount === 1;
    });
    await cutConnections();
    expect(await cut).toMatchObject(UNAVAILABLE);
    expect((await pool.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }]);
  });

  it('survives the loss of idle connections', async () => {
    await pool.query('SELECT 1');
    await cutConnections();
    expect((await pool.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }]);
  });

  it('leaves the mistakes of a query what they are', async () => {
    await expect(pool.query('SELEC 1')).rejects.toMatchObject({ code: '42601' });
    await expect(pool.query(`SELECT 1 FROM images WHERE id = 'x'`)).rejects.toBeInstanceOf(pg.DatabaseError);
  });

  it.each([
    ['nobody listens', { host: '127.0.0.1', port: 1 }],
    ['there is no socket', { host: join(tmpdir(), 'draupnir-no-such-directory') }],
    ['the name is unknown', { host: 'db.invalid' }],
  ])('says so when %s', async (_, place) => {
    const elsewhere = createMetadataPool({ ...database.config, ...place }, quiet);
    await expect(elsewhere.query('SELECT 1')).rejects.toMatchObject(UNAVAILABLE);
    await elsewhere.end();
  });

  it('says so when somebody listens and never answers', async () => {
    const sockets: Socket[] = [];
    const mute = await listen((socket) => sockets.push(socket));
    const { port } = mute.address() as { port: number };
    const config = { ...database.config, host: '127.0.0.1', port, connectionTimeoutMillis: 50 };
    const elsewhere = createMetadataPool(config, quiet);
    await expect(elsewhere.query('SELECT 1')).rejects.toMatchObject(UNAVAILABLE);
    await elsewhere.end();
    for (const socket of sockets) socket.destroy();
    mute.close();
  });

  it('says so when a query takes longer than any should', async () => {
    const impatient = createMetadataPool({ ...database.config, query_timeout: 50 }, quiet);
    await expect(impatient.query('SELECT pg_sleep(60)')).rejects.toMatchObject(UNAVAILABLE);
    // Postgres goes on with it; its connection is not used again.
    await cutConnections();
    await impatient.end();
  });
});

function listen(onConnection: (socket: Socket) => void): Promise<Server> {
  const { promise, resolve } = Promise.withResolvers<Server>();
  const server = createServer(onConnection);
  server.listen(0, '127.0.0.1', () => resolve(server));
  return promise;
}
