import { readdir, readFile, writeFile } from 'node:fs/promises';
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
];

/** By a program, to its stdout. */
async function compressBy(program: string, bytes: Buffer): Promise<Buffer> {
  const { stdout } = await execa(program, ['-c'], { input: bytes, encoding: 'buffer' });
  return Buffer.from(stdout);
}

describe('an upload', () => {
  const FOLDERS = ['.', './of its own'];

  /** It has become a bare data directory, with its files as they were and nothing else. */
  async function expectAccepted(upload: string): Promise<void> {
    expect(await check.run(upload)).toEqual({ exitCode: 0, stdout: String(check.major), stderr: '' });
    const names = await readdir(upload);
    expect(names).toEqual(expect.arrayContaining(['PG_VERSION', 'base', 'global', 'pg_wal', 'pg_xact']));
    const parts = /^(PG_VERSION|backup_label|base|global|pg_[a-z_]+|postgresql\.auto\.conf)$/;
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
});
