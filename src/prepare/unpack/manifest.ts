import { access, constants, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { PreparationFailure } from '../failure.ts';
import { isFile } from '../files.ts';
import { isPart } from './parts.ts';

/** The first part of a path in a manifest, which Postgres writes one file a line. One of another form fails as a whole. */
const PATH = /\{ *"Path": "([^"/]+)[/"]/;

/**
 * Verifies a backup with a manifest: it must be complete and as it was taken (PostgreSQL manual, pg_verifybackup). What is not part
 * of a data directory may be missing or changed. So may the write-ahead log, which Postgres checks when it recovers. Resolves to whether
 * there is a manifest of this state.
 */
export async function verifyManifest(dir: string, bin: string, major: string): Promise<boolean> {
  const manifest = join(dir, 'backup_manifest');
  if (!(await isFile(manifest)) || (await isStale(dir))) return false;
  const program = join(bin, 'pg_verifybackup');
  const isInstalled = await access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isInstalled) {
    throw new PreparationFailure(
      `the backup has a manifest, which cannot be checked here: install pg_verifybackup of Postgres ${major}, or leave backup_manifest out`,
    );
  }
  const ignored = new Set([...(await listTopNames(manifest)), ...(await readdir(dir))]);
  const options = [...ignored].filter((name) => !isPart(name)).map((name) => `--ignore=${name}`);
  const { exitCode, all } = await execa(
    program,
    ['--exit-on-error', '--quiet', '--no-parse-wal', ...options, '--', dir],
    { reject: false, all: true },
  );
  if (exitCode === 0) return true;
  const [reason = ''] = all.split('\n');
  throw new PreparationFailure(
    `the backup does not match its manifest: ${reason.replace(/^pg_verifybackup: error: /, '')}`,
  );
}

/**
 * Whether a server has run on the data directory since the manifest was written: that takes backup_label away and leaves
 * postmaster.opts, which no backup has.
 */
async function isStale(dir: string): Promise<boolean> {
  return !(await isFile(join(dir, 'backup_label'))) && (await isFile(join(dir, 'postmaster.opts')));
}

/** The names at the top of the data directory that a manifest lists. */
async function listTopNames(manifest: string): Promise<Set<string>> {
  const names = new Set<string>();
  const file = await open(manifest);
  for await (const line of file.readLines()) {
    const name = PATH.exec(line)?.[1];
    if (name !== undefined) names.add(name);
  }
  return names;
}
