import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { findErrorCode } from '../cli/failure.ts';
import type { Accounts, Layout } from './layout.ts';
import { isMounted } from './volume.ts';

/** What quickstart has made outside its directory. Written before a thing is made, so that `--down` finds it in any case. */
export interface Made {
  users: string[];
  /**
   * Whose processes and files are this installation's, made here or not; absent where they are the usual
   * ones.
   */
  accounts?: Accounts;
  sudoers: string;
  /** Process ids of what was started, by name. */
  processes: Record<string, number>;
}

/** What was made so far; undefined when there is no installation. */
export async function findMade(layout: Layout): Promise<Made | undefined> {
  const text = await readFile(layout.made, 'utf8').catch((error: unknown) => {
    if (findErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Made;
  } catch (cause) {
    throw new Error(`${layout.made} is damaged: restore it, or remove what quickstart made by hand`, {
      cause,
    });
  }
}

/**
 * Throws when the directory holds files, but no record of quickstart: they are not its own, and `--down` would
 * remove them. A volume that is mounted where the data will be is welcome: `--down` unmounts it.
 */
export async function refuseForeignFiles(layout: Pick<Layout, 'dir' | 'data' | 'made'>): Promise<void> {
  const { dir, data, made } = layout;
  const names = await readdir(dir).catch((error: unknown): string[] => {
    if (findErrorCode(error) === 'ENOENT') return [];
    throw error;
  });
  const hasVolume = names.includes(basename(data)) && (await isMounted(layout));
  if (names.every((name) => hasVolume && name === basename(data))) return;
  const record = `${made}, the record of what quickstart made, is missing`;
  throw new Error(`${dir} is not empty, and ${record}: choose another --dir`);
}

export async function writeMade(layout: Layout, made: Made): Promise<void> {
  await writeFile(layout.made, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
}
