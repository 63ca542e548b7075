import { readdir, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PreparationFailure } from '../failure.ts';
import { isFile, toPath } from '../files.ts';
import { extract } from './extract.ts';
import type { UploadLimits } from './limits.ts';

const ARCHIVE = /\.(tar|tar\..*|tgz|tzst|txz|tbz2?|tlz4)$/s;

/** What stands beside archives: checksums, signatures, and what a transfer has left half done. */
const BESIDE = /\.(sha[0-9]+|md5|asc|sig|part|tmp|txt)$/i;

/** What tablespaces are called in pg_basebackup's tar format: after their oid. */
const TABLESPACE = /^[0-9].*\.tar/s;

/** Unpacks the archives at the top of an upload: one tar, or pg_basebackup's base.tar and pg_wal.tar. */
export async function unpackArchives(dir: string, limits: UploadLimits): Promise<void> {
  const names: string[] = [];
  // Each character stands for a byte.
  for (const name of await readdir(dir, 'latin1')) {
    if (ARCHIVE.test(name) && !BESIDE.test(name) && (await isFile(toPath(join(dir, name))))) names.push(name);
  }
  if (names.some((name) => TABLESPACE.test(name))) throw createTablespaceFailure();
  const base = names.find((name) => name.startsWith('base.t'));
  const wal = names.find((name) => /^pg_(wal|xlog)\.t/.test(name));
  const [first, ...others] = names;
  if (first === undefined) return;
  if (others.length === 0) {
    if (wal !== undefined) throw new PreparationFailure('there is pg_wal.tar but no base.tar: upload both');
    await extract(toPath(join(dir, first)), dir, limits);
  } else if (others.length === 1 && base !== undefined && wal !== undefined) {
    await extract(toPath(join(dir, base)), dir, limits);
    await mkdir(join(dir, 'pg_wal'), { recursive: true });
    await extract(toPath(join(dir, wal)), join(dir, 'pg_wal'), limits);
  } else {
    throw new PreparationFailure(
      'there is more than one archive: upload one tar, or base.tar and pg_wal.tar',
    );
  }
}

export function createTablespaceFailure(): PreparationFailure {
  return new PreparationFailure(
    'the backup has tablespaces: take it from a cluster without, or move their contents first',
  );
}
