import { join } from 'node:path';
import { execa } from 'execa';
import { PreparationFailure } from './failure.ts';
import { emptyDirectories, isFile, removeAllBut, removeSpecialFiles } from './files.ts';
import type { KnownFiles } from './known-files.ts';
import { readPaths } from './lines.ts';
import { clearSettings } from './unpack/data-directory.ts';
import { EMPTIED, PARTS } from './unpack/parts.ts';

/** What is found of the write-ahead log in a cluster that was shut down. */
const WAL = 'pg_wal/[0-9A-F]{24}|pg_wal/[0-9A-F]{8}\\.history';

/**
 * Leaves only what Postgres knows in the data directory of a cluster that was shut down: no relation that a crash has orphaned, no
 * database without a record, no configuration, nothing that a script has put there, and no count of what was done: by those counts
 * each instance's autovacuum would look after tables that need nothing.
 */
export async function sweep(dir: string, known: KnownFiles): Promise<void> {
  if (!(await isFile(join(dir, 'PG_VERSION')))) {
    throw new PreparationFailure(
      'the anonymisation script has damaged the data directory: PG_VERSION is gone',
    );
  }
  await removeSpecialFiles(dir);
  await removeAllBut(
    dir,
    [...PARTS].filter((name) => name !== 'backup_label'),
  );
  await clearSettings(dir);
  await emptyDirectories([...EMPTIED, 'pg_tblspc'].map((name) => join(dir, name)));
  await execa(
    'find',
    ['pg_wal', '-type', 'f', '-regextype', 'posix-extended', '!', '-regex', WAL, '-delete'],
    { cwd: dir },
  );
  await removeUnknownFiles(dir, known);
  await execa('find', ['base', 'global', '-mindepth', '1', '-depth', '-type', 'd', '-empty', '-delete'], {
    cwd: dir,
  });
}

async function removeUnknownFiles(dir: string, known: KnownFiles): Promise<void> {
  const found = execa('find', ['base', 'global', '-type', 'f', '-print0'], { cwd: dir, buffer: false });
  const removal = execa('xargs', ['-0', '-r', 'rm', '-f', '--'], { cwd: dir });
  for await (const path of readPaths(found.stdout)) {
    if (!known.has(path)) removal.stdin.write(`${path}\0`, 'latin1');
  }
  removal.stdin.end();
  await Promise.all([found, removal]);
}
