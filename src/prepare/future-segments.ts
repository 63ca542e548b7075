import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Session } from './postgres/session.ts';

const SEGMENT = /^[0-9A-F]{24}$/;

/** The part of a segment's name that does not tell the timeline. */
const TIMELINE_LENGTH = 8;

/**
 * Removes the segments of the write-ahead log that a server has kept for later use, right after recovery: until they are used they
 * hold what was written long ago, and what is used is not zeroed first (PostgreSQL manual, wal_recycle).
 */
export async function removeFutureSegments(session: Session, work: string): Promise<void> {
  const [current] = await session.run<{ name: string }>(
    'the list of the write-ahead log',
    'SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS name',
  );
  const position = (current?.name ?? '').slice(TIMELINE_LENGTH);
  const folder = join(work, 'pg_wal');
  for (const name of await readdir(folder)) {
    if (SEGMENT.test(name) && name.slice(TIMELINE_LENGTH) > position) await rm(join(folder, name));
  }
}
