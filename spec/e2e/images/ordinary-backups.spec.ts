import { appendFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { run, runCommand } from '../support/command.ts';
import { query } from '../support/instance-client.ts';
import { getInstallation, UPLOAD_USER } from '../support/installation.ts';
import { upload } from '../support/upload.ts';
import { useServer } from '../support/use-server.ts';

const server = useServer();

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

let count = 0;

/** A running cluster of Debian's major with database shop. */
async function createSource(
  options: readonly string[] = [],
  settings: readonly string[] = [],
): Promise<Cluster> {
  const { postgres, sources, debianMajor } = getInstallation();
  const dir = join(sources, `ordinary-${++count}`);
  const cluster = new Cluster({ postgres, major: debianMajor, dir, user: UPLOAD_USER });
  await cluster.create(...options);
  await cluster.start(...settings);
  undo.push(() => cluster.stop().catch(() => undefined));
  await cluster.query('postgres', 'CREATE ROLE postgres SUPERUSER LOGIN');
  await cluster.query('postgres', 'CREATE DATABASE shop');
  return cluster;
}

/** Stops the cluster and packs its data directory. */
async function pack(cluster: Cluster): Promise<string> {
  await cluster.stop();
  return packStopped(cluster);
}

/** Makes an image of the backup; resolves to its id and the answer of the preparation. */
async function prepare(files: readonly string[], script = '') {
  const { id } = await server.api.createImage(script);
  await upload(id, files);
  return { id, answer: await server.api.finaliseImage(id) };
}

async function expectReason(files: readonly string[], reason: string | RegExp, script = ''): Promise<void> {
  const { answer } = await prepare(files, script);
  expect(answer, answer.text).toMatchObject({ status: 422, json: { id: 'finalise_failed' } });
  const { detail } = answer.json as { detail: string };
  if (typeof reason === 'string') expect(detail).toBe(reason);
  else expect(detail).toMatch(reason);
}

/** Lines for host.conf while a test runs. */
async function setHostConf(lines: string): Promise<void> {
  const file = join(getInstallation().scripts, 'host.conf');
  const before = await readFile(file, 'utf8');
  undo.push(() => writeFile(file, before));
  await appendFile(file, lines);
}

describe('a backup', () => {
  it('with write-ahead log in large segments becomes an instance', async () => {
    const source = await createSource(['--wal-segsize=64']);
    await source.query('shop', 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS id');
    const { id, answer } = await prepare([await pack(source)]);
    expect(answer.status, answer.text).toBe(200);
    const instance = await server.api.createInstance(id);
    expect(await query(instance, 'SELECT count(*) FROM t', { database: 'shop' })).toEqual(['1000']);
    expect(await query(instance, 'SHOW wal_segment_size')).toEqual(['64MB']);
  });

  it('that pg_basebackup has taken without the log names the option', async () => {
    const source = await createSource();
    const folder = join(source.dir, 'base');
    await source.run('pg_basebackup', '-h', source.dir, '-c', 'fast', '-Ft', '-X', 'none', '-D', folder);
    await expectReason([join(folder, 'base.tar')], /could not locate .*pg_basebackup -X stream/);
  });

  it('of a standby is recovered up to where it is consistent, or not at all', async () => {
    const source = await createSource([], ['wal_level=replica']);
    const { postgres, debianMajor } = getInstallation();
    const standby = new Cluster({
      ...{ postgres, major: debianMajor, user: UPLOAD_USER },
      dir: join(getInstallation().sources, `standby-${count}`),
    });
    await run(['install', '-d', '-m', '0700', '-o', UPLOAD_USER, '-g', UPLOAD_USER, standby.dir]);
    await source.run('pg_basebackup', '-h', source.dir, '-c', 'fast', '-R', '-D', standby.data);
    await standby.start('hot_standby=on');
    undo.push(() => standby.stop().catch(() => undefined));
    await source.query('shop', 'CREATE TABLE t AS SELECT generate_series(1, 200000) AS id; CHECKPOINT');
    await catchUp(source, standby);
    await standby.query('postgres', 'CHECKPOINT');
    // What follows is on the standby's disk, behind the point where recovery begins.
    await source.query('shop', 'SET synchronous_commit = on; UPDATE t SET id = id + 1');
    await catchUp(source, standby);
    await standby.stop();

    const { id, answer } = await prepare([await packStopped(standby)]);
    expect(answer.status, answer.text).toBe(200);
    const instance = await server.api.createInstance(id);
    expect(await query(instance, 'SELECT max(id) FROM t', { database: 'shop' })).toEqual([200_001]);

    const control = await standby.run('pg_controldata', '-D', standby.data);
    const first = /REDO WAL file: +([0-9A-F]{24})/.exec(control)?.[1] ?? '';
    const wal = join(standby.data, 'pg_wal');
    const segments = (await readdir(wal)).filter((name) => /^[0-9A-F]{24}$/.test(name) && name > first);
    expect(segments.length).toBeGreaterThan(0);
    for (const segment of segments) await rm(join(wal, segment));
    await expectReason(
      [await packStopped(standby)],
      /cannot recover the backup: WAL ends before consistent recovery point .*pg_basebackup -X stream/,
    );
  });

  it('with an extension whose library is not installed names it before the script runs', async () => {
    const source = await createSource();
    await source.query(
      'shop',
      `CREATE EXTENSION pg_trgm;
      UPDATE pg_proc SET probin = '$libdir/elsewhere' WHERE probin = '$libdir/pg_trgm'`,
    );
    await expectReason(
      [await pack(source)],
      `libraries are missing on this host, install them: $libdir/elsewhere of extension pg_trgm in database shop (Debian: postgresql-${getInstallation().debianMajor}-pg-trgm)`,
      '\\! false\nSELECT nothing;',
    );
  });

  it('with names of roles, databases and tables in another encoding belongs to draupnir', async () => {
    const source = await createSource();
    await source.query('postgres', `CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII'`);
    // «é» in Latin-1.
    const sql = `CREATE ROLE "caf\\xe9";
      CREATE TABLE "caf\\xe9" AS SELECT 1 AS id; ALTER TABLE "caf\\xe9" OWNER TO "caf\\xe9";
      INSERT INTO "caf\\xe9" SELECT generate_series(1, 100000);
      CREATE DATABASE "caf\\xe9" TEMPLATE bytes;`;
    const psql = ['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', source.dir, '-d', 'bytes'];
    await run(['bash', '-c', `printf '%b' "$1" | ${psql.join(' ')}`, 'bash', sql.replaceAll('"', '\\x22')], {
      user: UPLOAD_USER,
    });
    const { id, answer } = await prepare([await pack(source)]);
    expect(answer.status, answer.text).toBe(200);
    const instance = await server.api.createInstance(id);
    const owners = `SELECT DISTINCT pg_get_userbyid(datdba) FROM pg_database WHERE datname NOT LIKE 'template_'`;
    expect(await query(instance, owners)).toEqual(['draupnir']);
    const tables = `SELECT pg_get_userbyid(relowner) || ' ' || encode(relname::bytea, 'hex') FROM pg_class WHERE relname LIKE 'caf%'`;
    expect(await query(instance, tables, { database: 'bytes' })).toEqual(['draupnir 636166e9']);
    expect(
      await query(
        instance,
        `SELECT encode(datname::bytea, 'hex') FROM pg_database WHERE datname LIKE '%caf%'`,
        { database: 'bytes' },
      ),
    ).toEqual(['636166e9']);
  });

  it('with write-ahead log that its server has kept for later use leaves none of it', async () => {
    const source = await createSource();
    await source.query('shop', `CREATE TABLE t AS SELECT 'planted-in-the-log'::text AS note`);
    await source.stop();
    const wal = join(source.data, 'pg_wal');
    const segments = (await readdir(wal)).filter((name) => /^[0-9A-F]{24}$/.test(name));
    const last = segments.sort().at(-1) ?? '';
    for (const number of [2, 9, 40]) {
      const name = (BigInt(`0x${last}`) + BigInt(number)).toString(16).toUpperCase().padStart(24, '0');
      await run(['cp', join(wal, last), join(wal, name)], { user: UPLOAD_USER });
    }
    const { id, answer } = await prepare([await packStopped(source)], `\\c shop\nDROP TABLE t;\n`);
    expect(answer.status, answer.text).toBe(200);
    const snapshot = join(getInstallation().data, 'image_snapshots', String(id));
    const { stdout } = await runCommand(['grep', '-rlaF', 'planted-in-the-log', snapshot]);
    expect(stdout).toBe('');
  });

  it('whose script drops plpgsql is prepared, and one with another language of that name is not', async () => {
    const source = await createSource();
    await source.query('shop', 'CREATE TABLE t AS SELECT 1 AS id');
    const file = await pack(source);
    const { answer } = await prepare([file], `\\c shop\nDROP EXTENSION plpgsql;\n`);
    expect(answer.status, answer.text).toBe(200);
    await expectReason(
      [file],
      'language plpgsql of database shop is not that of Postgres: create extension plpgsql anew',
      `\\c shop\nUPDATE pg_language SET laninline = 'fmgr_sql_validator'::regproc WHERE lanname = 'plpgsql';\n`,
    );
  });

  it('with materialised views that read each other through functions has all of them read anew', async () => {
    const source = await createSource();
    await source.query(
      'shop',
      `CREATE SCHEMA app;
      CREATE ROLE app_owner; GRANT ALL ON SCHEMA app TO app_owner;
      ALTER ROLE app_owner SET search_path = app;
      CREATE TABLE app.people AS SELECT 'Ada Real'::text AS name;
      ALTER TABLE app.people OWNER TO app_owner;
      CREATE FUNCTION app.read_second() RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT name FROM second; END';
      CREATE FUNCTION app.read_people() RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT name FROM people; END';
      SET search_path = app;
      CREATE MATERIALIZED VIEW app.second AS SELECT name FROM app.read_people() AS name;
      CREATE MATERIALIZED VIEW app.first AS SELECT name FROM app.read_second() AS name;
      ALTER MATERIALIZED VIEW app.first OWNER TO app_owner;
      ALTER MATERIALIZED VIEW app.second OWNER TO app_owner;`,
    );
    const { id, answer } = await prepare(
      [await pack(source)],
      `\\c shop\nUPDATE app.people SET name = 'nobody';\n`,
    );
    expect(answer.status, answer.text).toBe(200);
    const instance = await server.api.createInstance(id);
    expect(await query(instance, 'SELECT name FROM app.first', { database: 'shop' })).toEqual(['nobody']);
    expect(await query(instance, 'SELECT name FROM app.second', { database: 'shop' })).toEqual(['nobody']);
  });
});

describe('a preparation names the limit that it has met', () => {
  it('of memory', async () => {
    await setHostConf('IMAGE_MEMORY_MAX=300M\n');
    await expectReason(
      inject('e2e').backup,
      'the preparation needs more memory than IMAGE_MEMORY_MAX=300M of host.conf allows',
      `SET work_mem = '2GB';\nSELECT count(*) FROM (SELECT g FROM generate_series(1, 8000000) AS g ORDER BY md5(g::text)) AS s;\n`,
    );
  });

  it('of temporary space', async () => {
    await setHostConf('SANDBOX_TMP_MAX=32M\n');
    await expectReason(
      inject('e2e').backup,
      /^the anonymisation script failed in the statement that ends on line 1 \(SQLSTATE 53100, disk_full\): it needs more temporary space than SANDBOX_TMP_MAX/,
      `COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO '/tmp/large';\n`,
    );
  });
});

/** Waits until the standby has replayed all that its source has written. */
async function catchUp(source: Cluster, standby: Cluster): Promise<void> {
  const position = await source.query('postgres', 'SELECT pg_current_wal_flush_lsn()');
  await standby.query(
    'postgres',
    `DO $$ BEGIN WHILE coalesce(pg_last_wal_replay_lsn() < '${position}', true) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$`,
  );
}

async function packStopped(cluster: Cluster): Promise<string> {
  const [draft, file] = [join(cluster.dir, 'draft.tar'), join(cluster.dir, 'backup.tar')];
  await run(['tar', '-c', '-f', draft, '-C', cluster.data, '.'], { user: UPLOAD_USER });
  await rename(draft, file);
  return file;
}
