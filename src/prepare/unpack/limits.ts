import { PreparationFailure } from '../failure.ts';

/** What an upload may take. */
export interface UploadLimits {
  /** Bytes that its archives may unpack to. */
  readonly spaceBytes: number;
  /** Files and directories that it may hold. */
  readonly maxFiles: number;
}

/** Postgres splits larger relations into files of this size (PostgreSQL manual, 73.1, "Database File Layout"), in KiB. */
export const MAX_FILE_KIB = 1_048_576;

export function createCountFailure(maxFiles: number): PreparationFailure {
  return new PreparationFailure(
    `the upload holds more than ${maxFiles} files and folders (MAX_UPLOAD_FILES in host.conf)`,
  );
}

export function createSizeFailure(path: string): PreparationFailure {
  return new PreparationFailure(
    `the upload holds a file of more than 1 GiB, which no data directory does: ${path}`,
  );
}
