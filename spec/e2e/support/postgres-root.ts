import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';

/** Made by scripts/dev/fetch-postgres. */
const FETCHED = join(import.meta.dirname, '../../../tmp/postgres');
const DEBIAN = '/usr/lib/postgresql';

/** The majors the program supports; all of them are tested. */
const SUPPORTED = [13, 14, 15, 16, 17, 18];

/** Majors that are there to be installed. Throws when one is missing that is supported. */
export async function listMajors(): Promise<{ majors: number[]; debianMajor: number }> {
  const [fetched, debian] = await Promise.all([FETCHED, DEBIAN].map(listVersions));
  const debianMajor = debian?.at(-1);
  if (debianMajor === undefined) throw new Error('no Postgres of Debian: run apt-get install postgresql');
  const majors = [...new Set([...(fetched ?? []), debianMajor])].sort((a, b) => a - b);
  const missing = SUPPORTED.filter((major) => !majors.includes(major));
  if (missing.length > 0) {
    throw new Error(`no Postgres ${missing.join(', ')} in tmp/postgres: run scripts/dev/fetch-postgres`);
  }
  return { majors, debianMajor };
}

/** Copies the majors below `target`, since the checkout may be closed to other users; Debian's are used where they are. */
export async function installPostgres(
  target: string,
  majors: readonly number[],
  debianMajor: number,
): Promise<void> {
  await mkdir(target);
  for (const major of majors) {
    if (major === debianMajor) await symlink(join(DEBIAN, String(major)), join(target, String(major)));
    else await run(['cp', '-R', '--reflink=auto', join(FETCHED, String(major)), target]);
  }
  await run(['chown', '-R', 'root:root', target]);
}

async function listVersions(directory: string): Promise<number[]> {
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}
