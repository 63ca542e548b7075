import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Where Debian installs the majors side by side. */
export const POSTGRES_ROOT = '/usr/lib/postgresql';

/** Folder with initdb, postgres and pg_basebackup of the newest installed major. Throws when there is none. */
export async function findPostgresPrograms(): Promise<string> {
  const names = await readdir(POSTGRES_ROOT).catch(() => [] as string[]);
  const majors = names.filter((name) => /^[0-9]+$/.test(name)).map(Number);
  if (majors.length === 0) {
    throw new Error(`no Postgres below ${POSTGRES_ROOT}: run apt-get install postgresql`);
  }
  return join(POSTGRES_ROOT, String(Math.max(...majors)), 'bin');
}
