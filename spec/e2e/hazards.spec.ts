import { link, mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { useBystanderFiles } from './support/bystander-files.ts';
import { run } from './support/command.ts';
import { Fixture } from './support/fixture.ts';
import { CRASH, HAZARDOUS_SETTINGS, HAZARDS, HIDDEN, LONGEST_NAME } from './support/hazards.ts';
import { getInstallation, IMAGE_UID_BASE, UPLOAD_USER } from './support/installation.ts';
import { connect, query } from './support/instance-client.ts';
import { ANONYMISE, Source } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const server = useServer();
const bystander = useBystanderFiles();

describe('a backup with many hazards at once', () => {
  let instance: Instance;
  let snapshot = '';
  let uid = 0;
  let adopted = '';

  /** The anonymisation script does what is not good for its image, too. */
  const SCRIPT = `${ANONYMISE}
GRANT pg_execute_server_program, pg_write_server_files, "draupnir-admin" TO draupnir;
ALTER ROLE draupnir CREATEROLE REPLICATION;
ALTER ROLE app PASSWORD 'new' LOGIN;
ALTER SYSTEM SET archive_command = 'touch /nowhere';
`;

  beforeAll(async () => {
    const installation = getInstallation();
    const source = await Source.create(installation, 'hazardous', installation.debianMajor, {
      rolePostgres: false,
    });
    const { cluster } = source;
    await cluster.query('shop', HAZARDOUS_SETTINGS);
    await cluster.stop();
    await cluster.start();
    await expect(cluster.query('shop', CRASH)).rejects.toThrow(/server closed the connection/);
    // One that is told to stop in the middle of its recovery may miss it.
    await waitUntil('the source has recovered', () =>
      cluster.query('shop', 'SELECT 1').catch(() => undefined),
    );
    await cluster.stop();
    await cluster.start();
    const oid = await cluster.query('shop', `SELECT oid FROM pg_catalog.pg_database WHERE datname = 'shop'`);
    await cluster.query('shop', HAZARDS);
    await cluster.stop();

    const fixture = await Fixture.create(join(installation.scratch, 'hazardous'), cluster.data);
    const { data } = fixture;
    const planted = 'person0@victim.example\n'.repeat(2000);
    await writeFile(
      join(data, 'postgresql.auto.conf'),
      `archive_mode = on\narchive_command = 'touch ${bystander.dir}/archived'\n`,
    );
    for (const name of [
      'standby.signal',
      'recovery.signal',
      '.hidden',
      'core.77',
      'dump.sql',
      'server.key',
      'pg_wal/note',
    ])
      await writeFile(join(data, name), planted);
    // What crashes leave behind: relations and databases that no catalogue knows.
    await writeFile(join(data, `base/${oid}/99999`), planted);
    await writeFile(join(data, `base/${oid}/99999_fsm`), planted);
    await mkdir(join(data, 'base/99999'));
    await writeFile(join(data, 'base/99999/1'), planted);
    await writeFile(join(data, 'base/99999/PG_VERSION'), '15\n');
    await mkdir(join(data, 'log'));
    await truncate(await touch(join(data, 'log/postgresql.log')), 2 * 1024 ** 3);
    for (const name of ['postgresql.conf', 'pg_hba.conf', 'pg_stat'])
      await run(['rm', '-r', join(data, name)]);
    await symlink(join(bystander.dir, 'file'), join(data, 'postgresql.conf'));
    await symlink('/dev/zero', join(data, 'pg_hba.conf'));
    await symlink(join(bystander.dir, 'directory'), join(data, 'pg_stat'));
    await symlink(join(bystander.dir, 'directory'), join(data, 'global/way'));
    await link(join(data, 'PG_VERSION'), join(data, 'PG_VERSION.linked'));
    await run(['mkfifo', join(data, 'fifo'), join(data, 'base/fifo')]);

    const { id } = await server.api.createImage(SCRIPT);
    // Everything belongs to nobody we know, is closed to all, and would run as its owner if it were to run.
    const archive = await fixture.pack(
      '-S',
      '--owner=12345',
      '--group=54321',
      '--numeric-owner',
      '--mode=7000',
      '-P',
      '--transform=s,^./dump.sql$,/tmp/draupnir-e2e-absolute,',
    );
    await upload(id, [archive]);
    const answer = await server.api.finaliseImage(id);
    expect(answer.status, answer.text).toBe(200);
    uid = IMAGE_UID_BASE + id;
    snapshot = join(installation.data, 'image_snapshots', String(id));
    adopted = await readFile(join(snapshot, 'postgresql.auto.conf'), 'utf8');
    instance = await server.api.createInstance(id);
  });

  const touch = async (file: string): Promise<string> => {
    await writeFile(file, '');
    return file;
  };

  it('changes nothing outside its subvolume', async () => {
    await bystander.expectUntouched();
    await expect(readFile('/tmp/draupnir-e2e-absolute')).rejects.toThrow('ENOENT');
  });

  it('leaves files and folders of its own uid and without special bits, and nothing else', async () => {
    const odd = [
      '!',
      '-type',
      'f',
      '!',
      '-type',
      'd',
      '-o',
      '-perm',
      '/7077',
      '-o',
      '!',
      '-uid',
      String(uid),
    ];
    expect(await run(['find', snapshot, '(', ...odd, '-o', '-type', 'f', '-links', '+1', ')'])).toBe('');
    expect(adopted).toBe('');
    const names = await readdir(snapshot);
    expect(
      names.filter((name) => !/^(PG_VERSION|base|global|pg_[a-z_]+|postgresql\.auto\.conf)$/.test(name)),
    ).toEqual([]);
    expect(await readdir(join(snapshot, 'pg_replslot'))).toEqual([]);
    expect(await readdir(join(snapshot, 'pg_twophase'))).toEqual([]);
  });

  it('holds no original value in any file', async () => {
    await expect(run(['grep', '-rlaF', 'victim.example', snapshot])).rejects.toThrow('ended with 1:\n');
  });

  it('has every database in its instance, with all that belongs there, in the hands of draupnir', async () => {
    const writable = { database: 'shop' };
    expect(await query(instance, 'SELECT count(*)::int FROM customers', writable)).toEqual([60]);
    const databases = `SELECT datname FROM pg_database WHERE datallowconn AND datdba = 'draupnir'::regrole ORDER BY 1`;
    expect(await query(instance, databases)).toEqual([HIDDEN, 'postgres', 'shop'].sort());
    const tables = `SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'`;
    for (const database of [HIDDEN, 'shop']) {
      expect(await query(instance, tables, { database })).toEqual(['draupnir']);
    }
    expect(await query(instance, 'SELECT count(*)::int FROM people', { database: HIDDEN })).toEqual([0]);
    expect(
      await query(instance, 'SELECT count(*)::int FROM pg_tables WHERE schemaname = $$public$$', {
        database: 'postgres',
      }),
    ).toEqual([0]);
  });

  it('can be written to', async () => {
    const client = await connect(instance);
    try {
      await client.query('SET default_transaction_read_only = off');
      await client.query('CREATE TABLE here (id int)');
      await client.query(`INSERT INTO customers VALUES (5000, 'x', 'y')`);
      await client.query('UPDATE parts_1 SET id = 1');
      await client.query('REFRESH MATERIALIZED VIEW first');
      await client.query('DROP TABLE secret, of_ada, of_monitor, of_draupnir, of_admin');
    } finally {
      await client.end();
    }
  });

  it('has materialised views read anew in their order, and those empty that cannot be', async () => {
    expect(await query(instance, 'SELECT more::int FROM second')).toEqual([61]);
    expect(await query(instance, `SELECT matviewname FROM pg_matviews WHERE NOT ispopulated`)).toEqual([
      'program_output',
    ]);
  });

  it('has nothing left that acts or waits', async () => {
    const counts = `SELECT (SELECT count(*) FROM pg_prepared_xacts) + (SELECT count(*) FROM pg_replication_slots)
      + (SELECT count(*) FROM pg_stat_subscription) + (SELECT count(*) FROM pg_user_mappings)
      + (SELECT count(*) FROM pg_event_trigger WHERE evtenabled <> 'D')
      + (SELECT count(*) FROM pg_namespace WHERE nspname ~ '^pg_temp' AND oid <> pg_my_temp_schema()
        AND EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_namespace.oid))
      + (SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setting ~ 'preload')`;
    expect(await query(instance, `SELECT (${counts})::int`)).toEqual([0]);
    expect(
      await query(
        instance,
        `SELECT ftoptions::text FROM pg_foreign_table WHERE ftrelid = 'programs'::regclass`,
      ),
    ).toEqual(['{}']);
  });

  it('has all roles, of whatever name, and none that is superuser or can log in', async () => {
    const roles = `SELECT rolname FROM pg_roles WHERE oid >= 16384 AND rolname !~ '^draupnir-[0-9]+$' AND rolname !~ '^draupnir-admin-' ORDER BY 1`;
    expect((await query(instance, roles)).sort()).toEqual(
      [
        `Ada "the" O'Neil; DROP`,
        'app',
        'current_user',
        'draupnir',
        'draupnir-admin',
        LONGEST_NAME,
        'pg_looks_builtin',
        'rolle mit ümlaut 🐘',
      ].sort(),
    );
    const able = `SELECT rolname FROM pg_roles WHERE (rolsuper OR rolcanlogin OR rolreplication) AND oid <> 10 ORDER BY 1`;
    expect(await query(instance, able)).toEqual(['draupnir', 'draupnir-admin']);
    const own = `SELECT rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = 'draupnir'`;
    expect(await query(instance, own)).toEqual([false]);
    expect(
      await query(instance, `SELECT count(*)::int FROM pg_auth_members WHERE member = 'draupnir'::regrole`),
    ).toEqual([0]);
  });

  it.each([
    `UPDATE pg_catalog.pg_authid SET rolsuper = true WHERE rolname = 'draupnir'`,
    `SELECT rolpassword FROM pg_catalog.pg_authid`,
    `INSERT INTO pg_auth_members (roleid, member, grantor, admin_option) VALUES (10, 'draupnir'::regrole, 10, true)`,
    `SELECT pg_read_file('PG_VERSION')`,
    `SELECT pg_read_binary_file('PG_VERSION')`,
    `SELECT lo_export(1, '/tmp/draupnir-e2e-exported')`,
    `CREATE FUNCTION pg_catalog.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    `CREATE FUNCTION mine() RETURNS int LANGUAGE c AS 'nowhere', 'mine'`,
    `COPY customers TO PROGRAM 'true'`,
    `SELECT run_program()`,
    `SELECT run_as_member()`,
    `SELECT run_in_extension()`,
    `ALTER SYSTEM SET archive_command = 'true'`,
    `SET session_preload_libraries = 'nowhere'`,
    `SET ROLE "draupnir-admin"`,
    `SET ROLE pg_execute_server_program`,
    `GRANT pg_execute_server_program TO draupnir`,
    `CREATE ROLE mine SUPERUSER`,
    `ALTER ROLE draupnir SUPERUSER`,
  ])('does not let its owner do more than own: %s', async (statement) => {
    const client = await connect(instance);
    try {
      await client.query('SET default_transaction_read_only = off');
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.end();
    }
  });
});

describe('a backup of Postgres 18', () => {
  it('does not run triggers when somebody connects', async () => {
    const installation = getInstallation();
    const source = await Source.create(installation, 'login', 18, { rolePostgres: false });
    await source.cluster.query(
      'shop',
      `CREATE FUNCTION on_login() RETURNS event_trigger LANGUAGE plpgsql AS $$
         BEGIN IF current_user <> '${UPLOAD_USER}' THEN RAISE EXCEPTION 'nobody comes in'; END IF; END $$;
       CREATE EVENT TRIGGER guard ON login EXECUTE FUNCTION on_login();
       ALTER DATABASE template1 SET transaction_timeout = '1ms';
       ALTER DATABASE shop SET event_triggers = on;
       ALTER DATABASE template1 SET idle_session_timeout = '1ms';`,
    );
    await source.cluster.stop();
    const { id } = await server.api.createImage(ANONYMISE);
    await upload(id, [await source.pack('tar.zst', { folder: false })]);
    const answer = await server.api.finaliseImage(id);
    expect(answer.status, answer.text).toBe(200);
    const instance = await server.api.createInstance(id);
    expect(await query(instance, 'SELECT evtenabled FROM pg_event_trigger', { database: 'shop' })).toEqual([
      'D',
    ]);
  });
});
