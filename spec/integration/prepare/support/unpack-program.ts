/**
 * unpack-program DIRECTORY POSTGRES_ROOT SPACE_BYTES MAX_FILES
 *
 * Unpacks an upload; prints the major, or with exit code 65 the reason for a refusal.
 */
import { PreparationFailure } from '../../../../src/prepare/failure.ts';
import { unpackUpload } from '../../../../src/prepare/unpack/unpack-upload.ts';

const [dir = '', postgresRoot = '', spaceBytes, maxFiles] = process.argv.slice(2);
const limits = { spaceBytes: Number(spaceBytes), maxFiles: Number(maxFiles) };
unpackUpload(dir, postgresRoot, limits).then(
  ({ major }) => process.stdout.write(major),
  (error: unknown) => {
    if (!(error instanceof PreparationFailure)) throw error;
    process.stdout.write(error.message);
    process.exitCode = 65;
  },
);
