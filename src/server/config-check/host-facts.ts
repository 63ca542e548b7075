import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { describeReadError } from '../../config/file-reader.ts';
import { BtrfsVolume, VolumeError } from '../../exec/btrfs-volume.ts';
import { listMissingMountOptions } from '../data-volume.ts';
import type { LocaleFacts } from './check-locales.ts';
import type { PostgresFacts } from './check-postgres.ts';
import type { VolumeFacts } from './check-volume.ts';

/** Longest time of a program that is asked, in milliseconds. */
const TIMEOUT_MS = 10_000;
/** Where the scripts look for programs (scripts/lib/common.sh). */
const SCRIPT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Sources of locales, of Debian's package `locales`. */
const LOCALE_SOURCES = '/usr/share/i18n/locales';

/** The Postgres programs below `root`, which the scripts take by `root/MAJOR/bin`. */
export async function findPostgresPrograms(root: string): Promise<PostgresFacts> {
  const names = await readdir(root).catch(() => []);
  const majors = names.filter((name) => /^[1-9][0-9]$/.test(name)).sort();
  const having = async (program: string): Promise<number[]> => {
    const found = await Promise.all(majors.map((major) => isExecutable(join(root, major, 'bin', program))));
    return majors.filter((_, index) => found[index]).map(Number);
  };
  return {
    root,
    majors: await having('postgres'),
    verifying: await having('pg_verifybackup'),
    hasPsql: await isProgram('psql'),
  };
}

/** The locales of this host. */
export async function findLocales(): Promise<LocaleFacts> {
  const options = { reject: false, timeout: TIMEOUT_MS, stdin: 'ignore' } as const;
  const { failed, stdout } = await execa('locale', ['-a'], options);
  const sources = await readdir(LOCALE_SOURCES).catch(() => []);
  return {
    installed: failed ? [] : stdout.split('\n').filter(Boolean),
    canCompile: sources.length > 0 && (await isProgram('localedef')),
  };
}

/** What is mounted at `dataPath`. */
export async function inspectVolume(dataPath: string): Promise<VolumeFacts> {
  const missingOptions = await listMissingMountOptions(dataPath);
  try {
    await new BtrfsVolume(dataPath).requireMounted();
    return { dataPath, missingOptions, fault: undefined };
  } catch (error) {
    if (!(error instanceof VolumeError)) throw error;
    const { cause, reason } = error;
    const fault = cause === undefined ? reason : `${reason}: ${describeReadError(cause)}`;
    return { dataPath, missingOptions, fault };
  }
}

async function isProgram(name: string): Promise<boolean> {
  const found = await Promise.all(
    SCRIPT_PATH.split(delimiter).map((directory) => isExecutable(join(directory, name))),
  );
  return found.includes(true);
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
