import { statfs } from 'node:fs/promises';

/** As good as nothing on a volume, in bytes. */
const NO_SPACE_BYTES = 4_194_304;

/** What programs print when there is no space (errno(3)), and Postgres's SQLSTATE (PostgreSQL manual, appendix A: disk_full). */
const NO_SPACE = /No space left on device|Disk quota exceeded|(?:ERROR|FATAL|PANIC): {2}53100/;

/** Whether want of space is why a program failed that has printed this. */
export function isWantOfSpace(text: string): boolean {
  return NO_SPACE.test(text);
}

/** Whether so little is free on the volume of a path that a program could not even print it. */
export async function isFull(path: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize < NO_SPACE_BYTES;
}

/** Bytes that an upload may unpack to: what is free, except for a twentieth of the volume. */
export async function measureSpace(path: string): Promise<number> {
  const { bavail, blocks, bsize } = await statfs(path);
  return Math.max(0, Math.floor((bavail - blocks / 20) * bsize));
}
