import { open, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startChild } from '../child.ts';
import { NoSpace, PreparationFailure } from '../failure.ts';
import { openDirectories } from '../files.ts';
import { readLines } from '../lines.ts';
import { isWantOfSpace } from '../space.ts';
import { findDecompressor } from './compression.ts';
import { createCountFailure, type UploadLimits } from './limits.ts';

/** Logs may be large, and are of no use. */
const EXCLUDED = ['log', 'pg_log', 'pgsql_tmp'];

const NEWLINE = 0x0a;

/**
 * Unpacks an archive into a directory and removes it. Throws PreparationFailure when it is damaged or holds too much, NoSpace
 * when there is no space at all.
 */
export async function extract(archive: Buffer, into: string, limits: UploadLimits): Promise<void> {
  const { spaceBytes, maxFiles } = limits;
  const name = basename(archive.toString());
  if (spaceBytes === 0) throw new NoSpace('there is no space to unpack the upload');
  const doesNotFit = new PreparationFailure(
    `${name} does not fit: unpacked it needs more than the ${spaceBytes} bytes that are free`,
  );
  const decompressor = await findDecompressor(archive);
  // What is not compressed is as large as what comes out of it.
  if (!decompressor && (await stat(archive)).size > spaceBytes) throw doesNotFit;

  const file = await open(archive);
  try {
    // GNU tar refuses «..», strips a leading «/», and prints the name of each member.
    const { process: tar, ended } = startChild(
      'tar',
      [
        ...['--extract', '--verbose', '--file', '-'],
        ...['--directory', into, '--no-same-owner', '--no-same-permissions', '--no-selinux', '--no-acls'],
        ...['--no-xattrs', '--delay-directory-restore', '--warning=no-timestamp'],
        ...EXCLUDED.map((each) => `--exclude=${each}`),
      ],
      [decompressor ? 'pipe' : file.fd, 'pipe', 'pipe'],
    );
    const lacksSpace = findWantOfSpace(getPipe(tar.stderr));
    const counted = countMembers(getPipe(tar.stdout), maxFiles, () => tar.kill());
    const decompressed = decompressor && decompress(decompressor, file.fd, getPipe(tar.stdin), spaceBytes);
    const [members, isDecompressed, { exitCode }] = await Promise.all([counted, decompressed, ended]);
    if (await lacksSpace) throw new NoSpace('the upload cannot be unpacked');
    await openDirectories(into);
    if (members > maxFiles) throw createCountFailure(maxFiles);
    if (isDecompressed === 'too large') throw doesNotFit;
    if (exitCode !== 0 || isDecompressed === 'damaged') {
      throw new PreparationFailure(
        `${name} cannot be unpacked: it is damaged, cut short, or holds members that are not allowed`,
      );
    }
  } finally {
    await file.close();
  }
  await rm(archive);
}

/** Counts the lines that tar prints; calls `stop` at one too many. */
async function countMembers(lines: NodeJS.ReadableStream, limit: number, stop: () => void): Promise<number> {
  let count = 0;
  for await (const chunk of lines) {
    for (const byte of chunk as Buffer) if (byte === NEWLINE) count += 1;
    if (count > limit) stop();
  }
  return count;
}

/** Whether tar has met a full disk. */
async function findWantOfSpace(stderr: AsyncIterable<unknown>): Promise<boolean> {
  let isFound = false;
  for await (const line of readLines(stderr)) isFound ||= isWantOfSpace(line);
  return isFound;
}

/** Writes what the program makes of the file to tar, up to `spaceBytes`. */
async function decompress(
  [program, ...args]: readonly [file: string, ...args: string[]],
  fd: number,
  tar: NodeJS.WritableStream,
  spaceBytes: number,
): Promise<'whole' | 'too large' | 'damaged'> {
  const { process: child, ended } = startChild(program, args, [fd, 'pipe', 'ignore']);
  let bytes = 0;
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > spaceBytes) done(new Error('too large'));
      else done(null, chunk);
    },
  });
  const isPassedOn = await pipeline(getPipe(child.stdout), limit, tar).then(
    () => true,
    () => false,
  );
  if (!isPassedOn) child.kill();
  const { exitCode } = await ended;
  if (bytes > spaceBytes) return 'too large';
  return exitCode === 0 && isPassedOn ? 'whole' : 'damaged';
}

/** Node's types do not know which files are pipes. */
function getPipe<Stream>(stream: Stream | null): Stream {
  if (stream === null) throw new Error('there is no pipe');
  return stream;
}
