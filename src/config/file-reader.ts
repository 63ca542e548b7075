import { readFile } from 'node:fs/promises';
import type { Problem } from './problem.ts';

/** Reads files, remembering what went wrong. */
export class FileReader {
  readonly problems: Problem[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** The content of the named file; undefined, and a problem with the key `path`, when it cannot be read. */
  async read(path: string, name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(name);
    } catch (error) {
      this.report(path, `must be a file that this user can read: ${describeReadError(error)}`, name);
      return undefined;
    }
  }

  report(path: string, message: string, name: string | undefined): void {
    this.problems.push({ file: this.#file, path, message, found: JSON.stringify(name) });
  }
}

/** Why a file could not be read, in words. */
export function describeReadError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return typeof code === 'string' ? code : 'reading failed';
}
