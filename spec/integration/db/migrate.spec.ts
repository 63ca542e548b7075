import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listAssets, readAsset } from '../../../src/assets.ts';
import { PgImageStore } from '../../../src/db/image-store.ts';
import { PgInstanceStore } from '../../../src/db/instance-store.ts';
import { listPendingMigrations, migrate, type MigrationFile } from '../../../src/db/migrate.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';

const FILES: MigrationFile[] = listAssets('migrations').map((name) => ({ name, content: readAsset(name) }));
const NAMES = FILES.map(({ name }) => name.replace(/^migrations\/(.*)\.sql$/, '$1'));

/** What Draupnir 5.3 left (contract: configuration, "Internal database"), with a row of each kind. */
const ORIGINAL = `
  CREATE TABLE gorp_migrations (id text PRIMARY KEY, applied_at timestamptz);
  INSERT INTO gorp_migrations VALUES ('1_create_images.sql', '2017-05-01T12:00:00Z');
  CREATE TABLE images (id serial PRIMARY KEY, backed_up_at timestamptz NOT NULL,
    ready boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, anon text);
  CREATE TABLE instances (id serial PRIMARY KEY, image_id int NOT NULL REFERENCES images (id),
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, port int, user_email text, refresh_token text);
  CREATE TABLE whitelisted_addresses (ip_address inet NOT NULL,
    instance_id int NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, PRIMARY KEY (ip_address, instance_id));
  INSERT INTO images (backed_up_at, ready, created_at, updated_at, anon)
    SELECT '2017-05-01T12:00:00Z', n IN (2, 5), '2017-05-02T12:00:00Z', '2017-05-03T12:00:00Z', 'SELECT ' || n
    FROM generate_series(1, 5) n;
  DELETE FROM images WHERE id IN (1, 3);
  INSERT INTO instances (image_id, created_at, updated_at, port, user_email, refresh_token)
    SELECT 2, '2017-05-04T12:00:00Z', '2017-05-05T12:00:00Z', 6000 + n, 'ada@example.com', 'token ' || n
    FROM generate_series(1, 4) n;
  DELETE FROM instances WHERE id IN (1, 2);
  INSERT INTO whitelisted_addresses VALUES ('192.0.2.7', 4, '2017-05-04T12:00:00Z', '2017-05-05T12:00:00Z');
`;

let database: TestDatabase;
let pool: pg.Pool;
beforeEach(async () => {
  database = await createEmptyDatabase();
  pool = new pg.Pool(database.config);
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

async function select(sql: string): Promise<unknown[]> {
  return (await pool.query<Record<string, unknown>>(sql)).rows;
}

/** Everything there is: columns, constraints, indexes and sequences of our schema. */
async function describeSchema(): Promise<unknown[]> {
  return select(`
    SELECT 'column', table_name, column_name, data_type, is_nullable, column_default
      FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', ''
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
    ORDER BY 1, 2, 3`);
}

describe('the migrations', () => {
  it('are written for root where root alone can write, for others among temporary files', async () => {
    vi.stubEnv('TMPDIR', '/missing');
    try {
      const migrating = migrate(database.config, FILES);
      if (process.geteuid?.() === 0) expect(await migrating).toEqual(NAMES);
      else await expect(migrating).rejects.toThrow("'/missing/draupnir-migrations-");
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('make the tables from nothing, once', async () => {
    expect(await migrate(database.config, FILES)).toEqual(NAMES);
    const schema = await describeSchema();
    expect(await migrate(database.config, FILES)).toEqual([]);
    expect(await describeSchema()).toEqual(schema);
    const store = new PgImageStore(pool);
    expect((await store.insert({ backedUpAt: new Date(), anonymisationScript: '' })).id).toBe(1);
  });

  it('wait for each other when two run at once', async () => {
    const runs = await Promise.all(Array.from({ length: 4 }, () => migrate(database.config, FILES)));
    expect(runs.flat()).toEqual(NAMES);
  });

  it('leave everything as it was when one fails', async () => {
    const failing = [...FILES, { name: '9_bad.sql', content: Buffer.from('SELECT 1;\nSELECT nonsense;') }];
    await pool.query(ORIGINAL);
    const before = await describeSchema();
    await expect(migrate(database.config, failing)).rejects.toThrow(/nonsense/);
    const ours = (rows: unknown[]): unknown[] =>
      rows.filter((row) => !JSON.stringify(row).includes('draupnir_migrations'));
    expect(ours(await describeSchema())).toEqual(before);
    expect(await select('SELECT * FROM draupnir_migrations')).toEqual([]);
    expect(await migrate(database.config, FILES)).toEqual(NAMES);
  });

  it('fail with what went wrong when the database cannot be reached', async () => {
    const config = { ...database.config, database: 'missing' };
    await expect(migrate(config, FILES)).rejects.toMatchObject({ code: '3D000' });
    await expect(listPendingMigrations(config, FILES)).rejects.toMatchObject({ code: '3D000' });
  });
});

describe('the database of a preview, in which a constraint kept ports apart', () => {
  it('ends up with the same tables', async () => {
    const since = NAMES.indexOf('8_shared_ports');
    await migrate(database.config, FILES.slice(0, since));
    await pool.query('ALTER TABLE instances ADD CONSTRAINT instances_port_key UNIQUE (port)');
    expect(await migrate(database.config, FILES)).toEqual(NAMES.slice(since));
    const upgraded = await describeSchema();
    await pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await migrate(database.config, FILES);
    expect(upgraded).toEqual(await describeSchema());
  });
});

describe('the list of pending migrations', () => {
  it('names what is to be done', async () => {
    expect(await listPendingMigrations(database.config, FILES)).toEqual(NAMES);
    await migrate(database.config, FILES.slice(0, 1));
    expect(await listPendingMigrations(database.config, FILES)).toEqual(NAMES.slice(1));
    await migrate(database.config, FILES);
    expect(await listPendingMigrations(database.config, FILES)).toEqual([]);
  });

  it('changes nothing, and may be read by whoever may change nothing', async () => {
    await pool.query(
      `ALTER DATABASE ${database.config.database ?? ''} SET default_transaction_read_only = on`,
    );
    expect(await listPendingMigrations(database.config, FILES)).toEqual(NAMES);
    expect(await describeSchema()).toEqual([]);
  });

  it('does not wait for a migration that runs', async () => {
    await migrate(database.config, FILES);
    const other = await pool.connect();
    try {
      // The lock of node-pg-migrate (PG_MIGRATE_LOCK_ID).
      await other.query('SELECT pg_advisory_lock(7241865325823964)');
      expect(await listPendingMigrations(database.config, FILES)).toEqual([]);
    } finally {
      other.release(true);
    }
  });
});

describe('the database of Draupnir 5.3', () => {
  beforeEach(async () => {
    await pool.query(ORIGINAL);
  });

  it('is adopted with the same tables that a new one has', async () => {
    await migrate(database.config, FILES);
    const adopted = await describeSchema();
    const fresh = await createEmptyDatabase();
    const other = pool;
    try {
      pool = new pg.Pool(fresh.config);
      await migrate(fresh.config, FILES);
      const expected = await describeSchema();
      const gorp = (row: unknown): boolean => JSON.stringify(row).includes('gorp_migrations');
      expect(adopted.filter((row) => !gorp(row))).toEqual(expected);
    } finally {
      await pool.end();
      pool = other;
      await fresh.drop();
    }
  });

  it('keeps every row, its id, its times and its token', async () => {
    const images = 'SELECT id, backed_up_at, ready, created_at, updated_at, anon FROM images ORDER BY id';
    const instances =
      'SELECT id, image_id, created_at, updated_at, port, user_email, refresh_token FROM instances ORDER BY id';
    const others = ['SELECT * FROM whitelisted_addresses', 'SELECT * FROM gorp_migrations'];
    const read = (): Promise<unknown[][]> => Promise.all([images, instances, ...others].map(select));
    const before = await read();
    expect(before.map((rows) => rows.length)).toEqual([3, 2, 1, 1]);
    await migrate(database.config, FILES);
    expect(await read()).toEqual(before);
  });

  it('has the states that the old column says, and instances that are ready', async () => {
    await migrate(database.config, FILES);
    const images = await new PgImageStore(pool).list();
    expect(images.map(({ id, status }) => ({ id, status }))).toEqual([
      { id: 2, status: 'ready' },
      { id: 4, status: 'pending' },
      { id: 5, status: 'ready' },
    ]);
    const instances = await new PgInstanceStore(pool).listByOwner('ada@example.com');
    expect(instances.map(({ id, port, status }) => ({ id, port, status }))).toEqual([
      { id: 3, port: 6003, status: 'ready' },
      { id: 4, port: 6004, status: 'ready' },
    ]);
  });

  it('may have two instances with one port: both keep it, and the first holds it', async () => {
    await pool.query(`INSERT INTO instances (id, image_id, created_at, updated_at, port, user_email)
      SELECT id, 2, now(), now(), port, owner
      FROM (VALUES (8, 6004, 'bea@example.com'), (9, NULL, NULL), (10, NULL, NULL)) AS old (id, port, owner)`);
    await migrate(database.config, FILES);
    const found = await select('SELECT id, port, port_taken FROM instances ORDER BY id');
    expect(found).toEqual([
      { id: 3, port: 6003, port_taken: false },
      { id: 4, port: 6004, port_taken: false },
      { id: 8, port: 6004, port_taken: true },
      { id: 9, port: null, port_taken: false },
      { id: 10, port: null, port_taken: false },
    ]);
    const last = await new PgInstanceStore(pool).find(10);
    expect(last).toMatchObject({ port: 0, userEmail: '' });
    const insert =
      'INSERT INTO instances (image_id, created_at, updated_at, port) VALUES (2, now(), now(), 6004)';
    await expect(pool.query(insert)).rejects.toMatchObject({
      code: '23505',
      constraint: 'instances_port_key',
    });
  });

  it.each([
    [
      'lacks the columns of later versions',
      'ALTER TABLE instances DROP COLUMN refresh_token, DROP COLUMN user_email',
    ],
    ['lacks the column of scripts', 'ALTER TABLE images DROP COLUMN anon'],
    ['lacks the table of addresses', 'DROP TABLE whitelisted_addresses'],
    ['wants a port in each row', 'ALTER TABLE instances ALTER COLUMN port SET NOT NULL'],
  ])('of a version that %s ends up the same', async (_what, change) => {
    await pool.query(change);
    await migrate(database.config, FILES);
    const older = await describeSchema();
    await pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await pool.query(ORIGINAL);
    await migrate(database.config, FILES);
    expect(older).toEqual(await describeSchema());
  });

  it('goes on counting its ids', async () => {
    await migrate(database.config, FILES);
    const image = await new PgImageStore(pool).insert({ backedUpAt: new Date(), anonymisationScript: '' });
    expect(image.id).toBe(6);
    const range = { min: 6000, max: 7000 };
    const store = new PgInstanceStore(pool);
    const instance = await store.insert({ imageId: 2, userEmail: 'ada@example.com' }, range, new Set());
    expect(instance.id).toBe(5);
  });
});
