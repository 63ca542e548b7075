import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBystanderFiles } from './support/bystander-files.ts';
import { run } from './support/command.ts';
import { Fixture } from './support/fixture.ts';
import { readImageState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, UPLOAD_USER } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
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

  async function packTruncated(): Promise<string[]> {
    const archive = join(dir, 'truncated.tar.gz');
    const good = await source.pack('tar.gz', { folder: false });
    await run(['cp', good, archive]);
    await truncate(archive, 500_000);
    return [archive];
  }

  /**
   * What is wrong, the files of the upload, and the start of the reason: some of each step that decides.
   * spec/integration/scripts has the others.
   */
  const cases: [string, () => Promise<string[]>, string | RegExp][] = [
    [
      'has a table cut in half, between two blocks',
      () => packChanged('half', (data) => truncate(join(data, table), 10 * 8192)),
      /^the backup is damaged: base\/\d+\/\d+ is shorter than its table, [a-z_.]+; take another backup$/,
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
      'has an empty pg_wal',
      () => packChanged('empty-wal', (data) => run(['find', join(data, 'pg_wal'), '-type', 'f', '-delete'])),
      /^Postgres \d+ cannot recover the backup: could not locate a valid checkpoint record/,
    ],
    [
      'has a damaged pg_control',
      () => packChanged('control', (data) => truncate(join(data, 'global/pg_control'), 100)),
      /^Postgres \d+ cannot recover the backup: /,
    ],
    ['is cut short', packTruncated, 'truncated.tar.gz cannot be unpacked'],
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
    expect(state.subvolumes).toEqual([`image_uploads/${id}`]);
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
    const { detail } = answer.json as { detail: string };
    if (typeof reason === 'string') expect(detail.slice(0, reason.length)).toBe(reason);
    else expect(detail).toMatch(reason);
    expect(await queryMetadata(`SELECT failure FROM images WHERE id = ${id}`)).toBe(detail);
    expect(await server.api.getImage(id)).toMatchObject({ ready: false });
    // The upload stays; no snapshot, no clone, no folder, no process came to it.
    expect(await readImageState(id)).toEqual(state);
    await bystander.expectUntouched();
  }

  it('that is empty is refused', () => expectRefusal('the upload is empty'));

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
    await removeUploaded(id, 'base/1/99999');
  });

  it('can be put right after all that, since a failure leaves it as it was', async () => {
    expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
    const instance = await server.api.createInstance(id);
    expect(await query(instance, 'SELECT email FROM customers WHERE id = 1')).toEqual([
      'customer-1@anonymous.invalid',
    ]);
  });
});
