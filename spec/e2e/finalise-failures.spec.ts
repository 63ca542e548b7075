import { mkdir, rename, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from './support/command.ts';
import { readImageState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { ANONYMISE, PLANTED_EMAIL, Source } from './support/source.ts';
import { removeUploaded, upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

/** Asks for the preparation of an image, which must fail closed: resolves to the reason. */
async function expectFailure(id: number): Promise<string> {
  const before = await readImageState(id);
  expect(before.subvolumes).toEqual([`image_uploads/${id}`]);
  const answer = await server.api.finaliseImage(id);
  expect(answer, answer.text).toMatchObject({
    status: 422,
    json: {
      id: 'finalise_failed',
      code: 'finalise_failed',
      status: '422',
      title: 'Finalise Failed',
      source: {},
    },
  });
  expect(await server.api.getImage(id)).toMatchObject({ ready: false });
  // The upload stays; no snapshot, no clone, no folder, no process came to it.
  expect(await readImageState(id)).toEqual(before);
  const body = { data: { type: 'instances', attributes: { image_id: id } } };
  expect((await server.api.send('POST', '/instances', { body })).status).toBe(422);
  const { detail } = answer.json as { detail: string };
  expect(await queryMetadata(`SELECT failure FROM images WHERE id = ${id}`)).toBe(detail);
  return detail;
}

/** What nobody who asks for a preparation may be told: rows. */
function expectNoRowData(detail: string): void {
  expect(detail).not.toMatch(/victim|Ada|Real|customer-/);
  expect(detail).not.toContain(PLANTED_EMAIL);
}

const LOST =
  'the anonymisation script did not run to its end: look for \\q, COPY data without \\. or \\if without \\endif';
const OPEN = 'the anonymisation script leaves a transaction open: end it with COMMIT';
const RUNNING = 'the anonymisation script leaves a program running: let it wait for what it starts';
const SESSION =
  'the anonymisation script leaves a session of another client open: let it wait for what it starts';
const PREPARED = 'the anonymisation script leaves a prepared transaction: end it with COMMIT PREPARED';
const SLOW_SESSION = `psql -Xqc 'SELECT pg_sleep(300)' >/dev/null 2>&1`;

function failsAt(line: number, state: string): string {
  return `the anonymisation script failed in the statement that ends on line ${line} (SQLSTATE ${state})`;
}

/** Hides its output, changes databases, commits, catches its own error, and has no end of line. */
const ODD = `\\o /dev/null
\\set QUIET off
\\c shop
BEGIN;
UPDATE customers SET name = id;
COMMIT;
DO $$ BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END $$;
\\c postgres
SELECT 1`;

describe.concurrent('an anonymisation script', () => {
  it.each([
    ['fails', `\\c shop\nSELECT 1;\nSELECT nothing;\nSELECT 2;\n`, failsAt(3, '42703')],
    [
      'fails over a row',
      `\\c shop\nINSERT INTO customers VALUES (1000, 'Ada Real', '${PLANTED_EMAIL}');\n`,
      failsAt(2, '23505'),
    ],
    [
      'quotes a row in an error of its own',
      `\\c shop\nDO $$ BEGIN RAISE EXCEPTION '%', (SELECT email FROM customers WHERE id = 1); END $$;\n`,
      failsAt(2, 'P0001'),
    ],
    ['divides by zero inside DO', 'DO $$\nBEGIN\n  PERFORM 1 / 0;\nEND\n$$;\n', failsAt(5, '22012')],
    [
      'fails after switching ON_ERROR_STOP off',
      '\\set ON_ERROR_STOP off\nSELECT nothing;\nSELECT 1;\n',
      failsAt(2, '42703'),
    ],
    ['fails on its last line, which has no end', 'SELECT 1;\nSELECT nothing', failsAt(2, '42703')],
    ['names a table of another database', 'UPDATE customers SET name = id;\n', failsAt(1, '42P01')],
    ['connects to a database that does not exist', '\\c nowhere\n', undefined],
    ['lacks its COMMIT', '\\c shop\nBEGIN;\nUPDATE customers SET name = id;\n', OPEN],
    ['starts a program and does not wait for it', '\\! sleep 300 &\n', RUNNING],
    [
      'starts a program that leaves it for good',
      `COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; setsid sleep 300 </dev/null >/dev/null 2>&1 &';\n`,
      RUNNING,
    ],
    ['leaves work to a psql that it does not wait for', `\\! ${SLOW_SESSION} &\n`, RUNNING],
    [
      'leaves work to a session whose client it has ended',
      `\\! ${SLOW_SESSION} & until [ "$(psql -AtXc "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)'")" = 1 ]; do :; done; kill -9 $!; wait\n`,
      SESSION,
    ],
    ['leaves a prepared transaction', `BEGIN;\nPREPARE TRANSACTION 'left';\n`, PREPARED],
    ['ends early', 'SELECT 1;\n\\q\nSELECT nothing;\n', LOST],
    ['leaves a COPY open', '\\c shop\nCOPY customers FROM STDIN;\n1000\tx\ty\n', undefined],
    ['leaves a quote open', `\\c shop\nUPDATE customers SET name = 'x;\n`, undefined],
    ['leaves a comment open', '/* SELECT 1;\n', undefined],
    ['leaves an \\if open', '\\if false\nSELECT 1;\n', LOST],
    ['ends its own session', 'SELECT pg_terminate_backend(pg_backend_pid());\n', undefined],
    [
      'runs a program that would read its statements away',
      `\\c shop\n\\! head -c 4096 >/dev/null\n${'SELECT 1;\n'.repeat(200)}SELECT nothing;\n`,
      failsAt(203, '42703'),
    ],
    [
      'fails in a file of its own making, with ON_ERROR_STOP off',
      `\\set ON_ERROR_STOP off\n\\t\n\\o /tmp/draupnir-e2e-included.sql\nSELECT 'SELECT 1/0;';\n\\o\n\\i /tmp/draupnir-e2e-included.sql\n\\! rm /tmp/draupnir-e2e-included.sql\n`,
      'the anonymisation script failed in a statement that is not its own text',
    ],
    [
      'writes in front of its error, with ON_ERROR_STOP off',
      '\\set ON_ERROR_STOP off\n\\warn -n x\nSELECT 1/0;\n',
      undefined,
    ],
    [
      'lets psql quote rows',
      `\\c shop\n\\set VERBOSITY default\nDO $$ BEGIN RAISE EXCEPTION 'VICTM'; END $$;\n`,
      'the anonymisation script failed in the statement that ends on line 3',
    ],
    ['hides its end', 'SELECT 1;\n\\o /dev/null\n\\! kill -9 $PPID\n', undefined],
  ])('that %s makes no image', async (_what, script, detail) => {
    const { id } = await server.api.createImage(script);
    await upload(id, inject('e2e').backup);
    const reason = await expectFailure(id);
    expectNoRowData(reason);
    expect(reason).toMatch(/^the anonymisation script /);
    if (detail !== undefined) expect(reason).toBe(detail);
  });

  it.each([
    ['is empty', ''],
    ['does odd things that are allowed', ODD],
    ['waits for what it has started', `\\! ${SLOW_SESSION.replace('300', '0.2')} & wait\n`],
  ])('that %s is good', async (_what, script) => {
    const { id } = await server.api.createImage(script);
    await upload(id, inject('e2e').backup);
    expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
  });
});

describe('an upload', () => {
  let id = 0;
  let good = '';
  let dir = '';

  beforeAll(async () => {
    const installation = getInstallation();
    dir = installation.scratch;
    const source = await Source.create(installation, 'broken', installation.debianMajor);
    await source.cluster.stop();
    good = await source.pack('tar.zst', { folder: false });
    ({ id } = await server.api.createImage(ANONYMISE));
  });

  /** A copy of the good data directory in `dir/name`, for changing, and the archive of what it has become. */
  async function packChanged(name: string, change: (data: string) => Promise<unknown>): Promise<string> {
    const data = join(dir, name);
    await mkdir(data);
    await run(['tar', '-x', '-f', good, '-C', data]);
    await change(data);
    const archive = join(dir, `${name}.tar`);
    await run(['tar', '-c', '-f', archive, '-C', data, '.']);
    return archive;
  }

  async function truncated(): Promise<string> {
    const archive = join(dir, 'truncated.tar.gz');
    await run(['bash', '-c', 'zstd -dc -- "$1" | gzip -1 >"$2"', 'bash', good, archive]);
    await truncate(archive, 500_000);
    return archive;
  }

  const TABLESPACES =
    'the backup has tablespaces: take it from a cluster without, or move their contents first';

  /** What is wrong, the files of the upload, and the start of the reason. */
  const cases: [string, () => Promise<string[]>, string][] = [
    ['is empty', () => Promise.resolve([]), 'the upload is empty'],
    [
      'has no data directory',
      () => packChanged('none', (data) => run(['rm', join(data, 'PG_VERSION')])).then((file) => [file]),
      'there is no Postgres data directory in the upload',
    ],
    [
      'is of a major that is not installed',
      () => packChanged('old', (data) => writeFile(join(data, 'PG_VERSION'), '12\n')).then((file) => [file]),
      'the backup was made by Postgres 12; installed here: 13 14 15 16 17 18',
    ],
    [
      'has a version that is a path',
      () =>
        packChanged('path', (data) => writeFile(join(data, 'PG_VERSION'), '../../x\n')).then((file) => [
          file,
        ]),
      'PG_VERSION does not hold a Postgres version',
    ],
    ['is cut short', () => truncated().then((file) => [file]), 'truncated.tar.gz cannot be unpacked'],
    [
      'is two archives',
      async () => {
        const second = await packChanged('second', () => Promise.resolve());
        return [good, second];
      },
      'there is more than one archive',
    ],
    [
      'is pg_wal.tar alone',
      async () => {
        const archive = await packChanged('wal', () => Promise.resolve());
        await rename(archive, join(dir, 'pg_wal.tar'));
        return [join(dir, 'pg_wal.tar')];
      },
      'there is pg_wal.tar but no base.tar',
    ],
    [
      'lacks pg_control',
      () =>
        packChanged('control', (data) => run(['rm', join(data, 'global/pg_control')])).then((file) => [file]),
      'the data directory is not complete: global/pg_control is missing',
    ],
    [
      'has a damaged pg_control',
      () =>
        packChanged('damaged', (data) => truncate(join(data, 'global/pg_control'), 100)).then((file) => [
          file,
        ]),
      `Postgres`,
    ],
    [
      'has tablespaces, as links',
      () =>
        packChanged('links', (data) => run(['ln', '-s', '/etc', join(data, 'pg_tblspc/16400')])).then(
          (file) => [file],
        ),
      TABLESPACES,
    ],
    [
      'has tablespaces, as an archive each',
      async () => {
        const archive = await packChanged('space', () => Promise.resolve());
        await rename(archive, join(dir, '16400.tar'));
        const base = await packChanged('base', () => Promise.resolve());
        return [base, join(dir, '16400.tar')];
      },
      TABLESPACES,
    ],
    [
      'is two data directories',
      async () => {
        const one = await packChanged('one', () => Promise.resolve());
        await run(['cp', '-R', join(dir, 'one'), join(dir, 'two')]);
        await run(['rm', one]);
        return [join(dir, 'one'), join(dir, 'two')];
      },
      'there is more than one data directory',
    ],
  ];

  it.each(cases)('that %s makes no image', async (_what, prepare, reason) => {
    const files = await prepare();
    if (files.length > 0) await upload(id, files);
    const detail = await expectFailure(id);
    expect(detail.startsWith(reason), detail).toBe(true);
    for (const file of files) await removeUploaded(id, basename(file));
  });

  it('can be put right after all that, since a failure leaves it as it was', async () => {
    await upload(id, [good]);
    expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
    const instance = await server.api.createInstance(id);
    expect(await query(instance, 'SELECT email FROM customers WHERE id = 1')).toEqual([
      'customer-1@anonymous.invalid',
    ]);
  });
});
