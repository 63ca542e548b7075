import { link, mkdir, rename, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBystanderFiles } from './support/bystander-files.ts';
import { run } from './support/command.ts';
import { Fixture, packEmptyFiles } from './support/fixture.ts';
import { readImageState } from './support/host-state.ts';
import { getInstallation, MAX_UPLOAD_FILES, UPLOAD_USER } from './support/installation.ts';
import { ANONYMISE, Source } from './support/source.ts';
import { removeUploaded, upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();
const bystander = useBystanderFiles();

describe('an upload', () => {
  let source: Source;
  let id = 0;
  let dir = '';
  let manifest: string[] = [];
  let table = '';

  beforeAll(async () => {
    const installation = getInstallation();
    dir = join(installation.scratch, 'refused');
    await mkdir(dir);
    source = await Source.create(installation, 'refused', installation.debianMajor);
    await source.cluster.query(
      'shop',
      `CREATE TABLE wide AS SELECT repeat('x', 1000) FROM generate_series(1, 140); ANALYZE wide;`,
    );
    table = await source.cluster.query('shop', `SELECT pg_relation_filepath('wide')`);
    manifest = await source.takeBaseBackup('with-manifest');
    await source.cluster.stop();
    ({ id } = await server.api.createImage(ANONYMISE));
  });

  const copy = (name: string): Promise<Fixture> => Fixture.create(join(dir, name), source.cluster.data);

  /** The archive of what the change leaves of the good data directory. */
  async function packChanged(
    name: string,
    change: (data: string) => Promise<unknown>,
    ...options: string[]
  ): Promise<string[]> {
    const fixture = await copy(name);
    await change(fixture.data);
    return [await fixture.pack(...options)];
  }

  /** An archive with members whose names tar would not give them: `expression` is that of `--transform`. */
  const packRenamed = (name: string, member: string, expression: string): Promise<string[]> =>
    packChanged(name, (data) => writeFile(join(data, member), 'x\n'), '-P', `--transform=${expression}`);

  /** The backup of pg_basebackup with its manifest, after a change of its data. */
  async function packWithManifest(
    name: string,
    change: (data: string) => Promise<unknown>,
  ): Promise<string[]> {
    const data = join(dir, name);
    await mkdir(data);
    const find = (part: string): string => manifest.find((file) => basename(file) === part) ?? '';
    await run(['tar', '-x', '-f', find('base.tar'), '-C', data]);
    await change(data);
    await mkdir(join(dir, `${name}-packed`));
    const base = join(dir, `${name}-packed`, 'base.tar');
    await run(['tar', '-c', '-f', base, '-C', data, '.']);
    return [base, find('pg_wal.tar'), find('backup_manifest')];
  }

  /** What is wrong, the files of the upload, and the start of the reason. */
  const cases: [string, () => Promise<string[]>, string | RegExp][] = [
    [
      'has a table cut in half, between two blocks',
      () => packChanged('half', (data) => truncate(join(data, table), 10 * 8192)),
      /^the backup is damaged: base\/\d+\/\d+ is shorter than its table; take another backup$/,
    ],
    [
      'has a table cut in half, inside a block',
      () => packChanged('inside', (data) => truncate(join(data, table), 20 * 8192 - 4096)),
      /^the backup is damaged: base\/\d+\/\d+ is shorter than its table/,
    ],
    [
      'lacks a table',
      () => packChanged('lacks', (data) => run(['rm', join(data, table)])),
      /^the backup is damaged: base\/\d+\/\d+ is shorter than its table/,
    ],
    [
      'differs from its manifest by a byte',
      () =>
        packWithManifest('byte', (data) =>
          run([
            'dd',
            'if=/dev/urandom',
            `of=${join(data, table)}`,
            'bs=1',
            'count=8',
            'seek=9000',
            'conv=notrunc',
            'status=none',
          ]),
        ),
      /^the backup does not match its manifest: checksum mismatch for file "base\/\d+\/\d+"$/,
    ],
    [
      'lacks a file of its manifest',
      () => packWithManifest('file', (data) => run(['rm', join(data, table)])),
      /^the backup does not match its manifest: "base\/\d+\/\d+" is present in the manifest but not on disk$/,
    ],
    [
      'has a manifest that is none',
      () => packChanged('none', (data) => writeFile(join(data, 'backup_manifest'), 'x\n')),
      'the backup does not match its manifest: ',
    ],
    [
      'lacks pg_wal',
      () => packChanged('no-wal', (data) => run(['rm', '-r', join(data, 'pg_wal')])),
      'the data directory is not complete: pg_wal is missing or a link',
    ],
    [
      'has an empty pg_wal',
      () => packChanged('empty-wal', (data) => run(['find', join(data, 'pg_wal'), '-type', 'f', '-delete'])),
      /^Postgres \d+ cannot recover the backup: could not locate a valid checkpoint record/,
    ],
    [
      'holds a sparse terabyte, packed',
      () => packChanged('sparse', (data) => run(['truncate', '-s', '1T', join(data, 'base/1/99999')]), '-S'),
      'the upload holds a file of more than 1 GiB, which no data directory does',
    ],
    [
      'holds a million files',
      async () => {
        const archive = join(dir, 'million.tar.zst');
        await packEmptyFiles(archive, 1_000_000);
        return [archive];
      },
      `the upload holds more than ${MAX_UPLOAD_FILES} files and folders (MAX_UPLOAD_FILES in host.conf)`,
    ],
    [
      'has a member that climbs out',
      () => packRenamed('climbs', 'escape', 's,^./escape,../../../../escape,'),
      'backup.tar cannot be unpacked: it is damaged, cut short, or holds members that are not allowed',
    ],
    [
      'has a hard link to a file of the host',
      async () =>
        packChanged(
          'hard',
          async (data) => {
            await writeFile(join(data, 'one'), '');
            await link(join(data, 'one'), join(data, 'two'));
          },
          '-P',
          `--transform=flags=h;s,^./(one|two)$,/etc/passwd,x`,
        ),
      'backup.tar cannot be unpacked',
    ],
    [
      'has a device',
      () => packChanged('device', (data) => run(['mknod', join(data, 'device'), 'b', '7', '0'])),
      'backup.tar cannot be unpacked',
    ],
    [
      'has a link for a part of it',
      () =>
        packChanged('link', async (data) => {
          await rename(join(data, 'pg_xact'), join(data, 'elsewhere'));
          await symlink(join(bystander.dir, 'directory'), join(data, 'pg_xact'));
        }),
      'the data directory is not complete: pg_xact is missing or a link',
    ],
    [
      'writes through a link',
      async () => {
        const fixture = await copy('through');
        await symlink(join(bystander.dir, 'directory'), join(fixture.data, 'way'));
        const archive = await fixture.pack();
        await run(['rm', join(fixture.data, 'way')]);
        await mkdir(join(fixture.data, 'way'));
        await writeFile(join(fixture.data, 'way/file'), 'mine\n');
        await run(['tar', '-r', '-f', archive, '-C', fixture.data, './way/file']);
        return [archive];
      },
      'backup.tar cannot be unpacked',
    ],
  ];

  async function expectRefusal(reason: string | RegExp): Promise<void> {
    const state = await readImageState(id);
    const answer = await server.api.finaliseImage(id);
    const { detail } = answer.json as { detail: string };
    expect(answer, answer.text).toMatchObject({ status: 422, json: { id: 'finalise_failed' } });
    if (typeof reason === 'string') expect(detail.slice(0, reason.length)).toBe(reason);
    else expect(detail).toMatch(reason);
    expect(await readImageState(id)).toEqual(state);
    await bystander.expectUntouched();
  }

  it.each(cases)('that %s is refused', async (_what, prepare, reason) => {
    const files = await prepare();
    await upload(id, files);
    await expectRefusal(reason);
    for (const file of files) await removeUploaded(id, basename(file));
  });

  it('that holds a sparse terabyte beside other files is refused', async () => {
    await upload(id, await source.listDataFiles());
    const path = join(getInstallation().data, 'image_uploads', String(id), 'base/1/99999');
    await run(['truncate', '-s', '1T', path], { user: UPLOAD_USER });
    await expectRefusal('the upload holds a file of more than 1 GiB, which no data directory does');
  });
});
