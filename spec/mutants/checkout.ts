import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

/** What is installed rather than built: linked, since a copy would take long. */
const INSTALLED = ['node_modules', 'spec/postgres/node_modules', 'tmp/postgres'];

/** A copy of the working tree, with its executable, in which files may be changed. */
export class Checkout {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** Copies all files that git knows or would add, and the executable. Replaces what an earlier run left in the folder. */
  static async create(source: string, root: string): Promise<Checkout> {
    await rm(root, { recursive: true, force: true });
    const { stdout } = await execa('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: source,
    });
    for (const file of [...stdout.split('\0').filter((name) => name !== ''), 'dist']) {
      await cp(join(source, file), join(root, file), { recursive: true, preserveTimestamps: true });
    }
    for (const folder of INSTALLED) {
      await mkdir(dirname(join(root, folder)), { recursive: true });
      await execa('cp', ['-al', '--', join(source, folder), join(root, folder)]);
    }
    return new Checkout(root);
  }

  /** Changes a file, calls, and changes the file back. */
  async withChange<T>(file: string, change: (text: string) => string, call: () => Promise<T>): Promise<T> {
    const path = join(this.root, file);
    const text = await readFile(path, 'utf8');
    await writeFile(path, change(text));
    try {
      return await call();
    } finally {
      await writeFile(path, text);
    }
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
