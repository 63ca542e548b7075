import { lstat, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** As many links as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** Write permission of group and others (inode(7)). */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * The first directory on the way to the absolute `path` in which a user other than root could put a link, the way through
 * links included; undefined when there is none. What does not exist yet is made by root, and counts as root's. Throws when
 * the way cannot be walked, such as ENOTDIR or ELOOP.
 */
export async function findForeignDirectory(path: string): Promise<string | undefined> {
  let names = path.split('/');
  let directory = '/';
  let links = 0;
  for (;;) {
    const stat = await lstat(directory).catch(ignoreMissing);
    if (!stat) return undefined;
    if (stat.isSymbolicLink()) {
      if (++links > MAX_LINKS) throw Object.assign(new Error(`${path}: too many links`), { code: 'ELOOP' });
      const target = await readlink(directory);
      names = [...target.split('/'), ...names];
      directory = target.startsWith('/') ? '/' : dirname(directory);
      continue;
    }
    if (!stat.isDirectory()) return undefined;
    if (stat.uid !== 0 || (stat.mode & WRITABLE_BY_OTHERS) !== 0) return directory;
    const name = names.shift();
    if (name === undefined) return undefined;
    directory = join(directory, name);
  }
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
