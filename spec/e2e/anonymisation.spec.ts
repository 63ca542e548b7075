import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { runCommand } from './support/command.ts';
import { readImageState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation } from './support/installation.ts';
import { ANONYMISE, Source } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

/** Every address of the source is in this domain. */
const REAL = 'victim.example';
const STATISTICS = `SELECT histogram_bounds::text || coalesce(most_common_vals::text, '') FROM pg_stats
  WHERE tablename = 'customers' AND attname = 'email'`;
/**
 * What belongs to somebody else and is not of Postgres or of an extension. An array follows its element; schema public
 * belongs to whoever owns the database.
 */
const FOREIGN_OBJECTS = `
  SELECT format('%s %s', type, identity) FROM (
    SELECT 'pg_class'::regclass AS classid, oid AS objid, relowner AS owner FROM pg_class WHERE relkind NOT IN ('t', 'i', 'I')
    UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_type t
      WHERE NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid)
    UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace WHERE nspname !~ '^pg_'
    UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner FROM pg_operator
    UNION ALL SELECT 'pg_collation'::regclass, oid, collowner FROM pg_collation
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid, evtowner FROM pg_event_trigger
    UNION ALL SELECT 'pg_publication'::regclass, oid, pubowner FROM pg_publication
    UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
  ) AS object, pg_identify_object(classid, objid, 0)
  WHERE (objid >= 16384 OR identity = 'public') AND owner <> 'draupnir'::regrole AND owner <> 'pg_database_owner'::regrole
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = object.classid AND d.objid = object.objid AND d.deptype = 'e')`;

describe('an instance of an anonymised image', () => {
  let instance: Instance;
  let id = 0;
  let image = '';

  beforeAll(async () => {
    const installation = getInstallation();
    const source = await Source.create(installation, 'anonymised', installation.debianMajor);
    await source.cluster.query(
      'shop',
      `CREATE EXTENSION citext;
       ALTER TABLE customers ADD COLUMN nick citext;
       CREATE COLLATION plain FROM "C";
       CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple);
       CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no DDL here'; END $$;
       CREATE PROCEDURE noop() LANGUAGE sql AS 'SELECT 1';
       CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = 0);
       CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
       CREATE STATISTICS pairs ON id, name FROM customers;
       CREATE FOREIGN DATA WRAPPER nowhere;
       CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
       CREATE USER MAPPING FOR app SERVER elsewhere OPTIONS (password 'of-${REAL}');
       CREATE TABLE deleted (email text);
       INSERT INTO deleted SELECT 'gone' || i || '@${REAL}' FROM generate_series(1, 2000) i;
       ANALYZE;
       DELETE FROM deleted;
       CREATE PUBLICATION everything FOR ALL TABLES;
       SELECT lo_create(4242);
       CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION on_ddl();`,
    );
    const statistics = await source.cluster.query('shop', STATISTICS);
    expect(statistics).toContain(REAL);
    // From here on nobody can connect to the database.
    await source.cluster.query('shop', `ALTER DATABASE shop SET session_preload_libraries = 'nowhere'`);
    const backup = await source.takeBaseBackup('backup');
    expect((await runCommand(['grep', '-q', '-aF', REAL, ...backup])).exitCode).toBe(0);
    await source.cluster.stop();

    ({ id } = await server.api.createImage(ANONYMISE));
    await upload(id, backup);
    const answer = await server.api.finaliseImage(id);
    expect(answer.status, answer.text).toBe(200);
    image = join(installation.data, 'image_snapshots', String(id));
    instance = await server.api.createInstance(id);
  });

  it('shows no original value in its tables', async () => {
    const values = await query(
      instance,
      'SELECT c::text FROM customers c UNION ALL SELECT d::text FROM deleted d',
    );
    expect(values).toHaveLength(60);
    expect(values.join()).not.toMatch(/victim|Real/);
  });

  it("shows no original value in the planner's statistics, which are there", async () => {
    const [statistics] = await query(instance, STATISTICS);
    expect(statistics).toContain('customer-1@anonymous.invalid');
    const everything = await query(
      instance,
      `SELECT concat(histogram_bounds, most_common_vals, most_common_elems) FROM pg_stats`,
    );
    expect(everything.length).toBeGreaterThan(10);
    expect(everything.join()).not.toContain(REAL);
  });

  it('holds no original value in any file, not even in bytes that are free', async () => {
    const { exitCode, stdout } = await runCommand(['grep', '-rlaF', REAL, image]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    // The search does find what is there.
    expect((await runCommand(['grep', '-rqaF', 'anonymous.invalid', image])).exitCode).toBe(0);
  });

  it('is made of an image whose upload is deleted', async () => {
    expect(await readImageState(id)).toMatchObject({ subvolumes: [`image_snapshots/${id}`], folders: [] });
  });

  it.each(['shop', 'postgres', 'template1'])('belongs to role draupnir, in database %s', async (database) => {
    expect(await query(instance, FOREIGN_OBJECTS, { database })).toEqual([]);
  });

  it('has databases that belong to role draupnir', async () => {
    const sql = `SELECT datname FROM pg_database WHERE datdba <> 'draupnir'::regrole ORDER BY 1`;
    expect(await query(instance, sql)).toEqual(['template0', 'template1']);
  });

  it('keeps extensions working', async () => {
    expect(await query(instance, `SELECT 'ABC'::citext = 'abc'::citext`)).toEqual([true]);
  });

  it('does not let the source act: event triggers, preloads and mappings to other servers are off', async () => {
    await query(instance, 'CREATE TABLE made_here ()');
    expect(await query(instance, 'SELECT evtenabled FROM pg_event_trigger')).toEqual(['D']);
    expect(
      await query(instance, 'SELECT setconfig FROM pg_db_role_setting WHERE setconfig IS NOT NULL'),
    ).toEqual([]);
    expect(await query(instance, 'SELECT count(*)::int FROM pg_user_mappings')).toEqual([0]);
  });

  it('has no other role that is superuser or can log in', async () => {
    const sql = `SELECT rolname FROM pg_roles WHERE (rolsuper OR rolcanlogin OR rolreplication) AND oid >= 16384 ORDER BY 1`;
    expect(await query(instance, sql)).toEqual(['draupnir', 'draupnir-admin']);
    const renamed = `SELECT rolname FROM pg_roles WHERE rolname ~ '^draupnir-[0-9]+$'`;
    expect(await query(instance, renamed)).toHaveLength(1);
  });
});

describe('the shared image', () => {
  it('is anonymised as well', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    expect((await query(instance, 'SELECT email FROM customers')).join()).not.toContain(REAL);
  });
});
