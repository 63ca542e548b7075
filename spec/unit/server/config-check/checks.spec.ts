import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseServerConfig } from '../../../../src/config/server-config.ts';
import type { DatabaseFacts } from '../../../../src/db/inspect-database.ts';
import {
  checkDatabase,
  describeDatabaseFailure,
} from '../../../../src/server/config-check/check-database.ts';
import { checkLocales } from '../../../../src/server/config-check/check-locales.ts';
import { checkPostgres } from '../../../../src/server/config-check/check-postgres.ts';
import { checkSampleValues } from '../../../../src/server/config-check/check-sample-values.ts';
import { checkSudo } from '../../../../src/server/config-check/check-sudo.ts';
import { checkVolume } from '../../../../src/server/config-check/check-volume.ts';
import { formatLines } from './lines.ts';

describe('the check of the database', () => {
  const facts: DatabaseFacts = {
    version: '15.8',
    versionNumber: 150_008,
    user: 'draupnir',
    database: 'metadata',
    schema: 'public',
    canCreate: true,
    instancePorts: [],
  };
  const check = (changed: Partial<DatabaseFacts>, pending: string[] = [], migrateOnStart = true): string[] =>
    formatLines(checkDatabase({ ...facts, ...changed }, { pending, migrateOnStart }));

  it.each([
    ['up to date', {}, [], 'ok: Postgres 15.8, up to date'],
    [
      'to be migrated by the server',
      {},
      ['2_states'],
      'ok: Postgres 15.8, migrated at the start of the server',
    ],
    ['up to date, whatever the user may do', { canCreate: false }, [], 'ok: Postgres 15.8, up to date'],
    [
      'of the oldest version',
      { version: '13.0', versionNumber: 130_000 },
      [],
      'ok: Postgres 13.0, up to date',
    ],
    [
      'too old',
      { version: '12.22', versionNumber: 120_022 },
      [],
      'must be a Postgres from 13 on: upgrade it (found 12.22)',
    ],
    [
      'closed to its user',
      { canCreate: false },
      ['1_initial'],
      'user draupnir cannot create tables in schema public of database metadata, and migrations are pending: make it the owner of the database',
    ],
    [
      'without a schema',
      { canCreate: false, schema: null },
      ['1_initial'],
      'user draupnir has no schema of its search_path of database metadata, and migrations are pending: create one',
    ],
  ])('describes one that is %s', (_what, changed, pending, line) => {
    expect(check(changed, pending)).toEqual([`database_url: ${line}`]);
  });

  it('warns of migrations that the server will not run', () => {
    expect(check({}, ['8_a', '9_b'], false)).toEqual([
      'database_url: warning: lacks migrations (8_a, 9_b): run draupnir migrate',
    ]);
  });

  it.each([
    ['28P01', 'check user and password, and pg_hba.conf of the database'],
    ['3D000', 'create the database, such as by createdb -O draupnir draupnir'],
    ['ECONNREFUSED', 'start Postgres, and check host and port'],
    ['ENOTFOUND', 'check the name of the host'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'check sslmode and sslrootcert'],
    [undefined, 'check that it runs and answers'],
  ])('gives advice for %s', (code, advice) => {
    expect(formatLines([describeDatabaseFailure('reason', code)])).toEqual([
      `database_url: the database cannot be used: reason; ${advice}`,
    ]);
  });
});

describe('the check of sample values', () => {
  const check = async (edit: (toml: string) => string): Promise<string[]> => {
    const toml = await readFile(new URL('../../../../sample/config.toml', import.meta.url), 'utf8');
    const sample = parseServerConfig(toml, 'sample').readable;
    return formatLines(checkSampleValues(parseServerConfig(edit(toml), 'FILE').readable, sample));
  };

  it('finds all examples of the sample that are in use', async () => {
    expect(await check((toml) => toml)).toEqual([
      'public_hostname: is the value of the sample: replace it by your own (found "draupnir.example.com")',
      'trusted_user_email_domain: is the value of the sample: replace it by your own (found "@example.com")',
      'oauth.redirect_url: is the value of the sample: replace it by your own (found "https://draupnir.example.com:8443/oauth_callback")',
      'oauth.client_id: is the value of the sample: replace it by your own (found "replace-this.apps.googleusercontent.com")',
    ]);
  });

  it('leaves the sign-in alone where it is off', async () => {
    const lines = await check((toml) => toml.replace('#enabled = true', 'enabled = false'));
    expect(lines).toHaveLength(1);
  });

  it('accepts own values, and the paths and ports of the sample', async () => {
    const edit = (toml: string): string =>
      toml.replaceAll('example.com', 'corp.test').replaceAll('"replace-this', '"own');
    expect(await check(edit)).toEqual([]);
  });
});

describe('the check of the Postgres programs', () => {
  const facts = { root: '/pg', majors: [13, 15], verifying: [13, 15], hasPsql: true };
  const check = (changed: Partial<typeof facts>): string[] =>
    formatLines(checkPostgres({ ...facts, ...changed }, '/etc/host.conf'));
  const where = '/etc/host.conf: POSTGRES_ROOT';
  const strip = (lines: string[]): string[] => lines.map((line) => line.replace(`${where}: `, ''));

  it('names the majors that backups may come from', () => {
    expect(check({ majors: [12, 13, 15, 19] })).toEqual([`${where}: ok: has Postgres 13, 15`]);
  });

  it('finds that there is none', () => {
    expect(strip(check({ majors: [12, 19] }))).toEqual([
      'has no Postgres from 13 to 18: run apt-get install postgresql (found /pg)',
    ]);
  });

  it('warns of majors that check no manifest', () => {
    expect(strip(check({ verifying: [15] }))).toEqual([
      'ok: has Postgres 13, 15',
      'warning: Postgres 13 has no pg_verifybackup: backups with a backup_manifest are refused; install the package postgresql-N of each',
    ]);
  });

  it('finds that psql is missing', () => {
    expect(strip(check({ hasPsql: false }))).toContain(
      'psql is missing, which runs the anonymisation: run apt-get install postgresql-client',
    );
  });
});

describe('the check of locales', () => {
  const check = (installed: string[], canCompile: boolean): string[] =>
    formatLines(checkLocales({ installed, canCompile }));
  const builtIn = ['C', 'C.utf8', 'POSIX'];

  it('names those that databases may have', () => {
    expect(check([...builtIn, 'de_DE', 'en_US.utf8'], false)).toEqual(['this host: locales: ok: en_US.utf8']);
  });

  it('warns where there are none and none can be made', () => {
    expect(check(builtIn, true)).toEqual([expect.stringContaining(': ok: ')]);
    expect(check(builtIn, false)).toEqual([
      'this host: locales: warning: there is no locale but C.UTF-8, and a backup of another cannot be prepared: run apt-get install locales && dpkg-reconfigure locales',
    ]);
  });
});

describe('the check of the volume', () => {
  const check = (fault: string | undefined, missingOptions: string[]): string[] =>
    formatLines(checkVolume({ dataPath: '/data', fault, missingOptions }));

  it.each([
    ['as it should be', undefined, [], 'ok: is on btrfs (found "/data")'],
    [
      'that lets programs run',
      undefined,
      ['nosuid', 'noexec'],
      'warning: is mounted without nosuid,noexec: add it in /etc/fstab and mount it again (found "/data")',
    ],
    [
      'that is not there',
      'cannot be read: no such file',
      ['noexec'],
      'cannot be read: no such file; mount the btrfs volume there, writable (found "/data")',
    ],
  ])('describes one %s', (_what, fault, missing, line) => {
    expect(check(fault, missing)).toEqual([`data_path: ${line}`]);
  });
});

describe('the check of sudo rules', () => {
  const check = (scriptsWithoutRule: string[]): string[] =>
    formatLines(checkSudo({ scriptsWithoutRule, serverUser: 'draupnir' }, '/scripts'));
  const remedy =
    'sudo does not let draupnir run it; install it executable in /scripts, and the rules of sudoers.example there; check with visudo -c';

  it('names the scripts that sudo refuses, in one line', () => {
    expect(check([])).toEqual(['scripts_path: ok: sudo lets draupnir run the scripts']);
    expect(check(['a', 'b', 'c'])).toEqual([`scripts_path: a, b, c: ${remedy}`]);
    expect(check(['a', 'b', 'c', 'd', 'e'])).toEqual([`scripts_path: a, b, c and 2 more: ${remedy}`]);
  });
});
