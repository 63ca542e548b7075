import { appendFile, mkdir, readdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatMembers, type TarMember } from '../../support/tar.ts';
import { MAX_FILES, UploadCheck } from './support/upload-check.ts';

let check: UploadCheck;

beforeAll(async () => {
  check = await UploadCheck.create();
});

afterAll(() => check.remove());

/** A data directory at the top, after a change. */
async function changed(change: (upload: string) => Promise<unknown>): Promise<string> {
  const upload = await check.createUpload();
  await change(upload);
  return upload;
}

/** The same with a manifest, which lists a file of configuration that is not there. */
async function changedBackup(change: (upload: string) => Promise<unknown>): Promise<string> {
  const upload = await check.createUpload();
  await check.writeManifest(upload, 'postgresql.conf');
  await change(upload);
  return upload;
}

/** An archive with further members. */
const packed = (...members: TarMember[]): Promise<string> =>
  check.createArchive('backup.tar', check.formatArchive(members));

const NOT_ALLOWED =
  'backup.tar cannot be unpacked: it is damaged, cut short, or holds members that are not allowed';
const TABLESPACES =
  'the backup has tablespaces: take it from a cluster without, or move their contents first';
const describeLarge = (path: string): string =>
  `the upload holds a file of more than 1 GiB, which no data directory does: ${path}`;
const TOO_MANY = `the upload holds more than ${MAX_FILES} files and folders (MAX_UPLOAD_FILES in host.conf)`;

/** What is wrong, the upload, and the reason. */
const CASES: [string, () => Promise<string>, string | RegExp][] = [
  [
    'is empty',
    () => check.createEmptyUpload(),
    'the upload is empty: copy the backup into it, then ask again',
  ],
  [
    'has no data directory',
    () => changed((upload) => rm(join(upload, 'PG_VERSION'))),
    'there is no Postgres data directory in the upload: no PG_VERSION at its top or in a folder',
  ],
  [
    'is an archive of something else',
    () => check.createArchive('backup.tar', formatMembers([{ name: './notes', content: 'x' }])),
    'there is no Postgres data directory in the upload: no PG_VERSION at its top or in a folder',
  ],
  [
    'is of a major that is not installed',
    () => changed((upload) => writeFile(join(upload, 'PG_VERSION'), '12\n')),
    'the backup was made by Postgres 12; installed here: 13 14 15 16 17 18',
  ],
  [
    'has a version that is a path',
    () => changed((upload) => writeFile(join(upload, 'PG_VERSION'), '../../x\n')),
    'PG_VERSION does not hold a Postgres version',
  ],
  [
    'is cut short',
    () => {
      const archive = gzipSync(check.formatArchive());
      return check.createArchive('backup.tar.gz', archive.subarray(0, archive.length / 2));
    },
    'backup.tar.gz cannot be unpacked: it is damaged, cut short, or holds members that are not allowed',
  ],
  [
    'is two archives',
    async () => {
      const upload = await packed();
      await writeFile(join(upload, 'second.tar'), check.formatArchive());
      return upload;
    },
    'there is more than one archive: upload one tar, or base.tar and pg_wal.tar',
  ],
  [
    'is pg_wal.tar alone',
    () => check.createArchive('pg_wal.tar'),
    'there is pg_wal.tar but no base.tar: upload both',
  ],
  [
    'is two data directories',
    async () => {
      const upload = await check.createUpload('one');
      await rename(join(await check.createUpload('two'), 'two'), join(upload, 'two'));
      return upload;
    },
    'there is more than one data directory in the upload: upload one',
  ],
  [
    'lacks pg_control',
    () => changed((upload) => rm(join(upload, 'global/pg_control'))),
    'the data directory is not complete: global/pg_control is missing',
  ],
  [
    'lacks pg_wal',
    () => changed((upload) => rm(join(upload, 'pg_wal'), { recursive: true })),
    'the data directory is not complete: pg_wal is missing or a link',
  ],
  [
    'has a link for a part of it',
    () =>
      changed(async (upload) => {
        await rename(join(upload, 'pg_xact'), join(upload, 'elsewhere'));
        await symlink(join(check.bystander, 'directory'), join(upload, 'pg_xact'));
      }),
    'the data directory is not complete: pg_xact is missing or a link',
  ],
  [
    'has tablespaces, as links',
    () =>
      changed(async (upload) => {
        await mkdir(join(upload, 'pg_tblspc'));
        await symlink('/etc', join(upload, 'pg_tblspc/16400'));
      }),
    TABLESPACES,
  ],
  [
    'has tablespaces, as an archive each',
    async () => {
      const upload = await check.createArchive('base.tar');
      await writeFile(join(upload, '16400.tar'), check.formatArchive());
      return upload;
    },
    TABLESPACES,
  ],
  [
    'differs from its manifest by a byte',
    () => changedBackup((upload) => writeFile(join(upload, 'base/1/1'), 'bAse/1/1')),
    'the backup does not match its manifest: checksum mismatch for file "base/1/1"',
  ],
  [
    'lacks a file of its manifest',
    () => changedBackup((upload) => rm(join(upload, 'base/1/1'))),
    'the backup does not match its manifest: "base/1/1" is present in the manifest but not on disk',
  ],
  [
    'lacks a file of its manifest, where a server has run without recovering it',
    () =>
      changedBackup(async (upload) => {
        await rm(join(upload, 'base/1/1'));
        await writeFile(join(upload, 'backup_label'), '');
        await writeFile(join(upload, 'postmaster.opts'), '');
      }),
    /^the backup does not match its manifest: /,
  ],
  [
    'has a manifest that is none',
    () => changed((upload) => writeFile(join(upload, 'backup_manifest'), 'x\n')),
    /^the backup does not match its manifest: /,
  ],
  [
    'has a manifest that cannot be checked here',
    () =>
      changed(async (upload) => {
        await writeFile(join(upload, 'PG_VERSION'), '13\n');
        await writeFile(join(upload, 'backup_manifest'), 'x\n');
      }),
    'the backup has a manifest, which cannot be checked here: install pg_verifybackup of Postgres 13, or leave backup_manifest out',
  ],
  ['has a member that climbs out', () => packed({ name: '../escape', content: 'x' }), NOT_ALLOWED],
  [
    'has a hard link to a file of the host',
    () => packed({ name: './one', type: 'link', target: '/etc/passwd' }),
    NOT_ALLOWED,
  ],
  [
    'has a member that climbs out of a folder of its own',
    () => packed({ name: './way/../../escape', content: 'x' }),
    NOT_ALLOWED,
  ],
  ['has a block device', () => packed({ name: './device', type: 'block' }), NOT_ALLOWED],
  ['has a character device', () => packed({ name: './device', type: 'character' }), NOT_ALLOWED],
  [
    'writes through a link',
    () =>
      packed(
        { name: './way', type: 'symlink', target: join(check.bystander, 'directory') },
        { name: './way/file', content: 'mine\n' },
      ),
    NOT_ALLOWED,
  ],
];

describe('an upload', () => {
  async function expectRefusal(upload: string, reason: string | RegExp): Promise<void> {
    const { exitCode, stdout, stderr } = await check.run(upload);
    expect(stdout, stderr).toMatch(reason);
    if (typeof reason === 'string') expect(stdout).toBe(reason);
    expect(exitCode).toBe(65);
    await check.expectBystanderUntouched();
    expect(await readdir(check.dir)).not.toContain('escape');
  }

  it.each(CASES)('that %s is refused', async (_what, prepare, reason) => {
    await expectRefusal(await prepare(), reason);
  });

  it('that holds a sparse terabyte, packed, is refused', async () => {
    const source = await changed(async (upload) => {
      await writeFile(join(upload, 'base/1/terabyte'), '');
      await truncate(join(upload, 'base/1/terabyte'), 2 ** 40);
    });
    const upload = await check.createEmptyUpload();
    await execa('tar', ['-c', '-S', '-f', join(upload, 'backup.tar'), '-C', source, '.']);
    await expectRefusal(upload, describeLarge('base/1/terabyte'));
  });

  it('that holds a sparse terabyte beside other files is refused', async () => {
    const upload = await check.createUpload();
    await writeFile(join(upload, 'base/1/99999'), '');
    await truncate(join(upload, 'base/1/99999'), 2 ** 40);
    await expectRefusal(upload, describeLarge('base/1/99999'));
  });

  it('that holds far too many files, packed, is refused before they are unpacked', async () => {
    const upload = await check.createEmptyUpload();
    const archive = join(upload, 'backup.tar.zst');
    for (let first = 0; first < 100_000; first += 10_000) {
      const members = Array.from({ length: 10_000 }, (_, i) => ({ name: `./base/1/empty-${first + i}` }));
      await appendFile(archive, zstdCompressSync(formatMembers(members)));
    }
    await expectRefusal(upload, TOO_MANY);
    expect((await readdir(join(upload, 'base/1'))).length).toBeLessThan(20 * MAX_FILES);
  });

  it('that holds too many files beside each other is refused', async () => {
    const upload = await check.createUpload();
    for (let count = 0; count < MAX_FILES; count++)
      await writeFile(join(upload, `base/1/empty-${count}`), '');
    await expectRefusal(upload, TOO_MANY);
  });

  it('that needs more than is free when it is unpacked is refused', async () => {
    const archive = check.formatArchive();
    for (const [name, bytes] of [
      ['backup.tar', archive],
      ['backup.tar.gz', gzipSync(archive)],
    ] as const) {
      const upload = await check.createArchive(name, bytes);
      expect(await check.run(upload, 4096)).toMatchObject({
        exitCode: 65,
        stdout: `${name} does not fit: unpacked it needs more than the 4096 bytes that are free`,
      });
    }
  });
});
