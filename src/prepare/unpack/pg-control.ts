import { open, readdir, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { isFile } from '../files.ts';

/** Where pg_control holds the state of the cluster, a number of 32 bits (pg_control.h, the same in 13 to 18). */
const STATE_OFFSET = 16;
/** DB_SHUTDOWNED_IN_RECOVERY and DB_IN_ARCHIVE_RECOVERY. */
const STATES_OF_STANDBY = new Set([2, 5]);

const DEFAULT_SEGMENT_BYTES = 16 * 2 ** 20;
/** 1 MB to 1 GB, powers of two (PostgreSQL manual, initdb, --wal-segsize). */
const SIZES = new Set(Array.from({ length: 11 }, (_, power) => 2 ** (20 + power)));

/**
 * Makes the copy of a standby without backup_label recover as a standby does: up to a point at which it is consistent, or not at
 * all. Crash recovery, which Postgres would choose, opens such a copy even where write-ahead log is missing.
 */
export async function requestArchiveRecovery(dir: string): Promise<void> {
  if (await isFile(join(dir, 'backup_label'))) return;
  if (STATES_OF_STANDBY.has(await readState(dir))) await writeFile(join(dir, 'recovery.signal'), '');
}

async function readState(dir: string): Promise<number> {
  const file = await open(join(dir, 'global/pg_control'));
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, STATE_OFFSET);
    return os.endianness() === 'LE' ? buffer.readUInt32LE() : buffer.readUInt32BE();
  } finally {
    await file.close();
  }
}

/** The size of a segment of the write-ahead log, in bytes: initdb fixes it, and each segment has it. */
export async function measureWalSegment(dir: string): Promise<number> {
  const folder = join(dir, 'pg_wal');
  for (const name of await readdir(folder)) {
    if (!/^[0-9A-F]{24}$/.test(name)) continue;
    const { size } = await stat(join(folder, name));
    // One that was cut short tells nothing.
    if (SIZES.has(size)) return size;
  }
  return DEFAULT_SEGMENT_BYTES;
}
