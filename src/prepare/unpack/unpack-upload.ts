import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PreparationFailure } from '../failure.ts';
import {
  closeToOthers,
  countEntries,
  emptyDirectories,
  findLargerFile,
  openDirectories,
  removeAllBut,
  removeSpecialFiles,
} from '../files.ts';
import { unpackArchives } from './archives.ts';
import {
  checkComplete,
  clearSettings,
  hasDataDirectory,
  liftDataDirectory,
  readMajor,
} from './data-directory.ts';
import { createCountFailure, createSizeFailure, MAX_FILE_KIB, type UploadLimits } from './limits.ts';
import { verifyManifest } from './manifest.ts';
import { requestArchiveRecovery } from './pg-control.ts';
import { EMPTIED, isPart, PARTS, REQUIRED } from './parts.ts';

/** An upload that was unpacked. */
export interface Unpacked {
  /** The Postgres that wrote it. */
  readonly major: string;
  /** Whether all its files are as the manifest of the backup says. */
  readonly isVerified: boolean;
}

/**
 * Turns the clone of an upload into a bare data directory at its top; resolves to what is known of it. Accepts plain
 * files, one tar, or pg_basebackup's base.tar and pg_wal.tar, compressed or not, at the top or in one folder. Throws
 * PreparationFailure, NoSpace.
 */
export async function unpackUpload(
  dir: string,
  postgresRoot: string,
  limits: UploadLimits,
): Promise<Unpacked> {
  await openDirectories(dir);
  if ((await readdir(dir)).length === 0) {
    throw new PreparationFailure('the upload is empty: copy the backup into it, then ask again');
  }
  // A tar below a plain data directory is just one of its files.
  if (!(await hasDataDirectory(dir))) await unpackArchives(dir, limits);
  await liftDataDirectory(dir);
  const major = await readMajor(dir, postgresRoot);
  await checkComplete(dir);
  await removeSpecialFiles(dir);
  await checkSizes(dir, limits);
  const isVerified = await verifyManifest(dir, join(postgresRoot, major, 'bin'), major);
  // All else would act at start, leak, or point outside.
  await removeAllBut(dir, PARTS);
  await emptyDirectories(EMPTIED.map((name) => join(dir, name)));
  for (const name of REQUIRED) await mkdir(join(dir, name), { recursive: true });
  await clearSettings(dir);
  await closeToOthers(dir);
  await requestArchiveRecovery(dir);
  return { major, isVerified };
}

/** Nothing may take for ever to read or to copy, such as a file that is all hole. */
async function checkSizes(dir: string, { maxFiles }: UploadLimits): Promise<void> {
  const parts = (await readdir(dir)).filter(isPart);
  const large = await findLargerFile(dir, parts, MAX_FILE_KIB);
  if (large !== undefined) throw createSizeFailure(large);
  if ((await countEntries(dir, parts, maxFiles)) > maxFiles) throw createCountFailure(maxFiles);
}
