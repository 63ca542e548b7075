import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
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

/** Writes an archive of `count` empty files, compressed by zstd. */
export async function packEmptyFiles(file: string, count: number): Promise<void> {
  const zstd = spawn('zstd', ['-q', '-1'], { stdio: ['pipe', 'pipe', 'inherit'] });
  zstd.stdout.pipe(createWriteStream(file));
  const ended = once(zstd, 'close');
  const size = 10_000;
  for (let first = 0; first < count; first += size) {
    const headers = Array.from({ length: size }, (_, i) => formatHeader(`./base/1/empty-${first + i}`));
    if (!zstd.stdin.write(Buffer.concat(headers))) await once(zstd.stdin, 'drain');
  }
  zstd.stdin.end(Buffer.alloc(1024));
  await ended;
}

/** A member of no length (POSIX, pax, "ustar Interchange Format"). */
function formatHeader(name: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(
    '0000644\0' + '0000000\0' + '0000000\0' + '00000000000\0' + '00000000000\0' + '        ' + '0',
    100,
  );
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
