import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { LOOPBACKS } from '../support/ipv6.ts';
import type { Instance } from './support/api.ts';
import { connect, query } from './support/instance-client.ts';
import { getInstallation, INSTANCE_UID_BASE, UPLOAD_USER } from './support/installation.ts';
import { getProcessStatus, listProcessesOf } from './support/processes.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();
let instance: Instance;
let other: Instance;

beforeAll(async () => {
  const { imageId } = inject('e2e');
  [instance, other] = await Promise.all([
    server.api.createInstance(imageId),
    server.api.createInstance(imageId),
  ]);
});

const NO_RULE = { code: '28000', message: expect.stringContaining('no pg_hba.conf entry') as unknown };
/** Reached by address, the server is checked by its chain alone. */
const ANY_NAME = { checkServerIdentity: () => undefined };

describe.each(LOOPBACKS)('an instance reached by %s', (host) => {
  it('admits its owner over mutual TLS', async () => {
    const [encrypted] = await query(instance, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', {
      host,
      tls: ANY_NAME,
    });
    expect(encrypted).toBe(true);
  });

  it('refuses a connection without TLS', async () => {
    await expect(connect(instance, { host, tls: false })).rejects.toMatchObject(NO_RULE);
  });

  it('refuses a connection without a certificate', async () => {
    const tls = { ...ANY_NAME, cert: undefined, key: undefined };
    await expect(connect(instance, { host, tls })).rejects.toMatchObject({
      code: '28000',
      message: 'connection requires a valid client certificate',
    });
  });

  it('refuses the certificate of another instance', async () => {
    const { cert, key } = other.credentials;
    await expect(connect(instance, { host, tls: { ...ANY_NAME, cert, key } })).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    });
  });

  it.each(['postgres', 'draupnir-admin', 'app', 'nobody'])('refuses its owner as user %s', async (user) => {
    await expect(connect(instance, { host, user, tls: ANY_NAME })).rejects.toMatchObject(NO_RULE);
  });

  it('refuses a replication connection', async () => {
    // The replication protocol is asked for by a parameter of the start-up packet, which PGOPTIONS cannot set.
    await expect(
      connect(instance, { host, user: 'draupnir', database: 'replication', tls: ANY_NAME }),
    ).rejects.toMatchObject({
      code: '3D000',
    });
  });
});

describe('the server of an instance', () => {
  it('proves itself by a certificate for its public name', async () => {
    expect(await query(instance, 'SELECT 1', { host: 'localhost' })).toEqual([1]);
  });

  it('is not taken for another one', async () => {
    await expect(connect(instance, { tls: { ca: other.credentials.ca } })).rejects.toThrow(/certificate/);
  });
});

describe('the owner of an instance', () => {
  it('is role draupnir, who may make databases and is no superuser', async () => {
    const flags = `SELECT json_build_object('user', session_user, 'super', rolsuper, 'createdb', rolcreatedb,
      'createrole', rolcreaterole, 'replication', rolreplication, 'bypassrls', rolbypassrls) FROM pg_roles WHERE rolname = session_user`;
    expect(await query(instance, flags)).toEqual([
      {
        user: 'draupnir',
        super: false,
        createdb: true,
        createrole: false,
        replication: false,
        bypassrls: false,
      },
    ]);
  });

  it('can change and make everything in the database', async () => {
    const own = await server.api.createInstance(inject('e2e').imageId);
    for (const sql of [
      'CREATE TABLE notes (id int)',
      'INSERT INTO notes VALUES (1)',
      'ALTER TABLE customers ADD COLUMN age int',
      'DROP MATERIALIZED VIEW app.totals',
      'CREATE SCHEMA mine',
      'DROP SCHEMA app CASCADE',
      'CREATE DATABASE another',
    ]) {
      await query(own, sql);
    }
    expect(await query(own, 'SELECT id FROM notes')).toEqual([1]);
  });

  it.each([
    ['run programs', `COPY (SELECT 1) TO PROGRAM 'true'`],
    ['read files of the host', `SELECT pg_read_file('/etc/passwd')`],
    ['read files by COPY', `CREATE TABLE t (x text); COPY t FROM '/etc/passwd'`],
    ['change the configuration', `ALTER SYSTEM SET ssl = off`],
    ['become superuser', 'ALTER ROLE draupnir SUPERUSER'],
    ['become the first superuser', `SET ROLE "${UPLOAD_USER}"`],
    ['become superuser postgres', 'SET ROLE postgres'],
    ['become the administrator', 'SET ROLE "draupnir-admin"'],
    ['load a library', `LOAD '$libdir/../evil'`],
  ])('cannot %s', async (_what, sql) => {
    await expect(query(instance, sql)).rejects.toMatchObject({ code: '42501' });
  });
});

/** What a process may do, as proc_pid_status(5) tells it. */
const PRIVILEGES = ['Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs'];

describe('the process of an instance', () => {
  it('has a uid of its own, no capability, and no way to gain any', async () => {
    for (const { id } of [instance, other]) {
      const uid = INSTANCE_UID_BASE + id;
      const processes = await listProcessesOf(uid);
      const empty = '0000000000000000';
      const expected = [
        Array(4).fill(uid).join('\t'),
        Array(4).fill(uid).join('\t'),
        '',
        ...Array<string>(5).fill(empty),
        '1',
      ];
      let looked = 0;
      for (const { pid } of processes) {
        const found = Promise.all(PRIVILEGES.map((field) => getProcessStatus(pid, field)));
        const fields = await found.catch((error: unknown) => error);
        // That of a session may end while we look.
        if (fields instanceof Error && !existsSync(`/proc/${pid}`)) continue;
        expect(fields).toEqual(expected);
        looked++;
      }
      expect(looked).toBeGreaterThan(1);
    }
  });

  it('owns its data and its socket directory alone, and cannot write its configuration', async () => {
    const { data, run } = getInstallation();
    const sockets = await stat(join(run, 'instances', String(instance.id)));
    expect({ uid: sockets.uid, mode: sockets.mode & 0o777 }).toEqual({
      uid: INSTANCE_UID_BASE + instance.id,
      mode: 0o700,
    });
    const [{ pid } = { pid: 0 }] = await listProcessesOf(INSTANCE_UID_BASE + instance.id);
    const folder = await stat(join(`/proc/${pid}/root`, data, 'instances', String(instance.id)));
    expect({ uid: folder.uid, mode: folder.mode & 0o777 }).toEqual({
      uid: INSTANCE_UID_BASE + instance.id,
      mode: 0o700,
    });
    for (const name of [
      '',
      'postgresql.conf',
      'pg_hba.conf',
      'pg_ident.conf',
      'server.key',
      'server.crt',
      'ca.crt',
    ]) {
      const { uid, gid, mode } = await stat(join(data, 'instance_config', String(instance.id), name));
      expect({ uid, gid, others: mode & 0o027 }, name).toEqual({
        uid: 0,
        gid: INSTANCE_UID_BASE + instance.id,
        others: 0,
      });
    }
  });
});

describe('what is written to an instance', () => {
  it('is seen neither by another one nor by the image', async () => {
    await query(instance, `INSERT INTO customers VALUES (5000, 'written here', 'here@example.com')`);
    await query(instance, 'DELETE FROM customers WHERE id = 1');
    const later = await server.api.createInstance(inject('e2e').imageId);
    const sql = 'SELECT id FROM customers WHERE id IN (1, 5000)';
    expect(await query(instance, sql)).toEqual([5000]);
    expect(await query(other, sql)).toEqual([1]);
    expect(await query(later, sql)).toEqual([1]);
  });
});
