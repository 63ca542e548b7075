import { mkdir, readdir, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { END_OF_TAR, formatMembers } from '../../support/tar.ts';
import { UploadCheck } from './support/upload-check.ts';

let check: UploadCheck;

beforeAll(async () => {
  check = await UploadCheck.create();
});

afterAll(() => check.remove());

/** How an archive may be compressed. */
const FORMS: { suffix: string; compress: (bytes: Buffer) => Buffer | Promise<Buffer> }[] = [
  { suffix: 'tar', compress: (bytes) => bytes },
  { suffix: 'tar.gz', compress: (bytes) => gzipSync(bytes) },
  { suffix: 'tar.zst', compress: (bytes) => zstdCompressSync(bytes) },
  { suffix: 'tar.xz', compress: (bytes) => compressBy('xz', bytes) },
  { suffix: 'tar.bz2', compress: (bytes) => compressBy('bzip2', bytes) },
  { suffix: 'tar.lz4', compress: (bytes) => compressBy('lz4', bytes) },
];

/** By a program, to its stdout. */
async function compressBy(program: string, bytes: Buffer, ...options: string[]): Promise<Buffer> {
  const { stdout } = await execa(program, ['-c', ...options], { input: bytes, encoding: 'buffer' });
  return Buffer.from(stdout);
}

describe('an upload', () => {
  const FOLDERS = ['.', './of its own'];

  /** It has become a bare data directory, with its files as they were and nothing else. */
  async function expectAccepted(upload: string): Promise<void> {
    expect(await check.run(upload)).toEqual({ exitCode: 0, stdout: String(check.major), stderr: '' });
    const names = await readdir(upload);
    expect(names).toEqual(expect.arrayContaining(['PG_VERSION', 'base', 'global', 'pg_wal', 'pg_xact']));
    const parts =
      /^(PG_VERSION|backup_label|recovery\.signal|base|global|pg_[a-z_]+|postgresql\.auto\.conf)$/;
    expect(names.filter((name) => !parts.test(name))).toEqual([]);
    expect(await readFile(join(upload, 'base/1/1'), 'utf8')).toBe('base/1/1');
    expect(await readFile(join(upload, 'pg_wal/0'), 'utf8')).toBe('pg_wal/0');
    await check.expectBystanderUntouched();
  }

  it.each(FORMS.flatMap((form) => FOLDERS.map((folder) => ({ ...form, folder }))))(
    'may be one $suffix, its members below $folder',
    async ({ suffix, compress, folder }) => {
      const archive = await compress(check.formatArchive([], folder));
      await expectAccepted(await check.createArchive(`backup.${suffix}`, archive));
      // What it is shows in its first bytes, whatever its name says.
      await expectAccepted(await check.createArchive('backup.tar', archive));
    },
  );

  it.each(FORMS)('may be base.$suffix and pg_wal.$suffix', async ({ suffix, compress }) => {
    const upload = await check.createArchive(`base.${suffix}`, await compress(check.formatArchive()));
    const wal = Buffer.concat([formatMembers([{ name: '1', content: 'wal' }]), END_OF_TAR]);
    await writeFile(join(upload, `pg_wal.${suffix}`), await compress(wal));
    await expectAccepted(upload);
    expect(await readFile(join(upload, 'pg_wal/1'), 'utf8')).toBe('wal');
  });

  it.each(FOLDERS)('may be plain files below %s', async (folder) => {
    await expectAccepted(await check.createUpload(folder));
  });

  it('may hold what is no part of a data directory, which is removed, and differ from its manifest there', async () => {
    const stray = { name: './postgresql.conf', content: 'archive_command = false' };
    await expectAccepted(
      await check.createArchive(
        'backup.tar',
        check.formatArchive([stray, { name: './way', type: 'symlink', target: check.bystander }]),
      ),
    );
    const upload = await check.createUpload();
    await check.writeManifest(upload, 'postgresql.conf');
    await writeFile(join(upload, 'pg_hba.conf'), 'local all all trust');
    await expectAccepted(upload);
  });

  it('may be packed with a window of 2 GiB', async () => {
    // zstd writes as large a window as the input wants, which it does not know here.
    const archive = await compressBy('zstd', check.formatArchive(), '--long=31', '--ultra');
    await expectAccepted(await check.createArchive('backup.tar.zst', archive));
  });

  it.each(['/var/lib/postgresql/15/main', 'deep/folder/of/a/server/data'])(
    'may have its members below %s',
    async (folder) => {
      await expectAccepted(await check.createArchive('backup.tar', check.formatArchive([], folder)));
    },
  );

  it('may hold cores and dumps of any size at the top of its data directory', async () => {
    for (const name of ['core', 'core.1234', 'dump.sql', 'serverlog']) {
      const upload = await check.createUpload();
      await writeFile(join(upload, name), '');
      await truncate(join(upload, name), 2 ** 31);
      const packed = await check.createEmptyUpload();
      await execa('tar', ['-c', '-S', '-f', join(packed, 'backup.tar'), '-C', upload, '.']);
      await expectAccepted(upload);
      await expectAccepted(packed);
    }
  });

  it.each(['base.tar.sha256', 'base.tar.md5', 'base.tar.asc', 'base.tar.part', 'SHA256SUMS'])(
    'may have %s beside its archives',
    async (name) => {
      const upload = await check.createArchive('base.tar');
      await writeFile(join(upload, name), 'not an archive');
      await expectAccepted(upload);
    },
  );

  it('that is the copy of a standby is recovered as one, unless it has a backup_label', async () => {
    const ofStandby = (state: number): Buffer => {
      const control = Buffer.alloc(8192);
      control.writeUInt32LE(state, 16);
      return control;
    };
    const isRecovered = async (state: number, label: boolean): Promise<boolean> => {
      const upload = await check.createUpload();
      await writeFile(join(upload, 'global/pg_control'), ofStandby(state));
      if (label) await writeFile(join(upload, 'backup_label'), '');
      await expectAccepted(upload);
      return (await readdir(upload)).includes('recovery.signal');
    };
    // DB_SHUTDOWNED_IN_RECOVERY, DB_IN_ARCHIVE_RECOVERY; DB_SHUTDOWNED, DB_IN_PRODUCTION.
    for (const state of [2, 5]) expect(await isRecovered(state, false)).toBe(true);
    for (const state of [1, 6]) expect(await isRecovered(state, false)).toBe(false);
    expect(await isRecovered(5, true)).toBe(false);
  });

  it('may have a name in any encoding, and a folder of one', async () => {
    const upload = await check.createEmptyUpload();
    // «é» in Latin-1.
    const name = Buffer.from('caf\xe9', 'latin1');
    await writeFile(
      Buffer.concat([Buffer.from(`${upload}/`), name, Buffer.from('.tar')]),
      check.formatArchive(),
    );
    await expectAccepted(upload);
    const plain = await check.createUpload('folder');
    await rename(join(plain, 'folder'), Buffer.concat([Buffer.from(`${plain}/`), name]));
    await expectAccepted(plain);
  });

  it('may hold an old copy inside its data directory', async () => {
    const upload = await check.createUpload('main');
    await mkdir(join(upload, 'main/old/global'), { recursive: true });
    await writeFile(join(upload, 'main/old/PG_VERSION'), '9.6\n');
    await expectAccepted(upload);
  });

  it.each(['core', 'base'])('may lie below a folder called %s', async (name) => {
    await expectAccepted(
      await check.createArchive('backup.tar', check.formatArchive([], `srv/${name}/main`)),
    );
    await expectAccepted(await check.createArchive('backup.tar', check.formatArchive([], `srv/${name}`)));
  });

  it('may hold the manifest of the backup that it was before a server has run on it', async () => {
    const upload = await check.createUpload();
    await check.writeManifest(upload, 'base/1/2');
    await writeFile(join(upload, 'postmaster.opts'), '');
    await expectAccepted(upload);
  });
});
