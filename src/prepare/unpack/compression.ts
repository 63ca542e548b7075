import { open } from 'node:fs/promises';

/** First bytes of compressed files, and the program that decompresses such a file from stdin to stdout. */
const PROGRAMS: readonly (readonly [magic: string, program: readonly [file: string, ...args: string[]]])[] = [
  ['1f8b', ['gzip', '-dc']],
  // Windows of up to 2 GiB, the largest that zstd(1) writes.
  ['28b52ffd', ['zstd', '-dcq', '--long=31']],
  ['04224d18', ['lz4', '-dc']],
  ['fd377a585a00', ['xz', '-dc']],
  ['425a68', ['bzip2', '-dc']],
];

/** What decompresses a file; undefined when it is not compressed. The content decides, not the name. */
export async function findDecompressor(
  path: Buffer,
): Promise<readonly [file: string, ...args: string[]] | undefined> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0);
    const start = buffer.subarray(0, bytesRead).toString('hex');
    return PROGRAMS.find(([magic]) => start.startsWith(magic))?.[1];
  } finally {
    await file.close();
  }
}
