import { access, constants, lstat, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PreparationFailure } from '../failure.ts';
import { isDirectory, isFile, listFilesNamed, moveContent, removeAllBut, toPath } from '../files.ts';
import { createTablespaceFailure } from './archives.ts';

/** Without these Postgres cannot start. */
const NEEDED = ['base', 'global', 'pg_wal', 'pg_xact', 'pg_multixact'];

/** A name that no data directory uses, so that nothing inside can be in the way of its own folder. */
const LIFT = '.draupnir-lift';

export function hasDataDirectory(dir: string): Promise<boolean> {
  return isFile(join(dir, 'PG_VERSION'));
}

/** Moves the one data directory of an upload to its top, however deep it is. */
export async function liftDataDirectory(dir: string): Promise<void> {
  if (await hasDataDirectory(dir)) return;
  const found = await findDataDirectories(dir);
  const [folder, ...others] = found;
  if (folder === undefined) {
    throw new PreparationFailure(
      'there is no Postgres data directory in the upload: no PG_VERSION at its top or in a folder',
    );
  }
  if (others.length > 0) {
    throw new PreparationFailure('there is more than one data directory in the upload: upload one');
  }
  // pg_basebackup puts the manifest beside its archives.
  const [manifest, inside] = [join(dir, 'backup_manifest'), toPath(join(folder, 'backup_manifest'))];
  if ((await isFile(manifest)) && !(await isFile(inside))) await rename(manifest, inside);
  const lift = join(dir, LIFT);
  await rename(toPath(folder), lift);
  await removeAllBut(dir, [LIFT]);
  await moveContent(lift, dir);
  await rm(lift, { recursive: true });
}

/**
 * The directories that hold a file PG_VERSION, except those inside another one: a data directory may hold old copies of itself. Those
 * of single databases, which a data directory has in base, hold no global. Archives with absolute names have theirs several folders
 * deep. In each path a character stands for a byte.
 */
async function findDataDirectories(dir: string): Promise<string[]> {
  const folders: string[] = [];
  for (const path of await listFilesNamed(dir, 'PG_VERSION')) {
    const folder = dirname(path);
    if (dirname(folder) === dir || (await isDirectory(toPath(join(folder, 'global'))))) folders.push(folder);
  }
  return folders.filter((folder) => !folders.some((outer) => folder.startsWith(`${outer}/`)));
}

/** The major that wrote a data directory, of which the programs are installed. */
export async function readMajor(dir: string, postgresRoot: string): Promise<string> {
  const file = await open(join(dir, 'PG_VERSION'));
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(16), 0, 16, 0);
    const [major = ''] = buffer.toString('latin1', 0, bytesRead).split('\n');
    if (!/^([1-9][0-9]|9\.[0-9])$/.test(major)) {
      throw new PreparationFailure('PG_VERSION does not hold a Postgres version');
    }
    const installed = await listMajors(postgresRoot);
    if (installed.includes(major)) return major;
    throw new PreparationFailure(
      `the backup was made by Postgres ${major}; installed here: ${installed.join(' ') || 'none'}`,
    );
  } finally {
    await file.close();
  }
}

async function listMajors(postgresRoot: string): Promise<string[]> {
  const majors: string[] = [];
  for (const name of (await readdir(postgresRoot)).sort()) {
    const isInstalled = await access(join(postgresRoot, name, 'bin/postgres'), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isInstalled) majors.push(name);
  }
  return majors;
}

/** Throws PreparationFailure when a part is missing without which Postgres could not start, or when there are tablespaces. */
export async function checkComplete(dir: string): Promise<void> {
  const tablespaces = await readdir(join(dir, 'pg_tblspc')).catch(() => []);
  const map = await lstat(join(dir, 'tablespace_map')).catch(() => undefined);
  if (tablespaces.length > 0 || (map !== undefined && map.size > 0)) throw createTablespaceFailure();
  for (const part of NEEDED) {
    if (await isDirectory(join(dir, part))) continue;
    throw new PreparationFailure(`the data directory is not complete: ${part} is missing or a link`);
  }
  if (!(await isFile(join(dir, 'global/pg_control')))) {
    throw new PreparationFailure('the data directory is not complete: global/pg_control is missing');
  }
}

/** Settings of the source would come after ours. */
export async function clearSettings(dir: string): Promise<void> {
  await writeFile(join(dir, 'postgresql.auto.conf'), '');
}
