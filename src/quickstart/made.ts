import { readFile, writeFile } from 'node:fs/promises';
import type { Accounts, Layout } from './layout.ts';

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
  try {
    return JSON.parse(await readFile(layout.made, 'utf8')) as Made;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function writeMade(layout: Layout, made: Made): Promise<void> {
  await writeFile(layout.made, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
}
