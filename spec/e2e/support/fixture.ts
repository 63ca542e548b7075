import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';

/** A copy of a data directory that a test may spoil, and the archive that is made of it. */
export class Fixture {
  readonly data: string;
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
    this.data = join(dir, 'data');
  }

  /** Copies the data directory of a stopped cluster into the new folder `dir`. */
  static async create(dir: string, data: string): Promise<Fixture> {
    await mkdir(dir);
    const fixture = new Fixture(dir);
    await run(['cp', '-R', '--reflink=auto', data, fixture.data]);
    return fixture;
  }

  /** The archive, its members at the top; `options` go to tar. */
  async pack(...options: string[]): Promise<string> {
    const archive = join(this.#dir, 'backup.tar');
    await run(['tar', '-c', ...options, '-f', archive, '-C', this.data, '.']);
    return archive;
  }
}
