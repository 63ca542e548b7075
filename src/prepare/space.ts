import { statfs } from 'node:fs/promises';

/** What programs print when there is no space (errno(3)), and Postgres's SQLSTATE (PostgreSQL manual, appendix A: disk_full). */
const NO_SPACE = /No space left on device|Disk quota exceeded|(?:ERROR|FATAL|PANIC): {2}53100/;

/** Whether want of space is why a program failed that has printed this. */
export function isWantOfSpace(text: string): boolean {
  return NO_SPACE.test(text);
}

/** Bytes that an upload may unpack to: what is free, except for a twentieth of the volume. */
export async function measureSpace(path: string): Promise<number> {
  const { bavail, blocks, bsize } = await statfs(path);
  return Math.max(0, Math.floor((bavail - blocks / 20) * bsize));
}
