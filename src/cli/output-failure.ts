import { writeSync } from 'node:fs';
import { EXIT_FAILURE } from './failure.ts';
import { describeFileFailure } from './file-failure.ts';

let done = '';

/** Has a failure to write stdout name what was done, such as `created instance 4`, which its reader does not learn. */
export function nameInOutputFailure(what: string): void {
  done = ` (${what})`;
}

/**
 * Ends the process with one line on stderr when stdout cannot be written, a full disk for example. A reader that has
 * seen enough (`| head`) is no failure; one that has read nothing is. What cannot be written to stderr is dropped.
 */
export function reportOutputFailures(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' && process.stdout.bytesWritten > 0) process.exit();
    try {
      writeSync(
        process.stderr.fd,
        `error: ${describeFileFailure(error, 'write', 'stdout').message}${done}\n`,
      );
    } catch {
      // The exit code remains.
    }
    process.exit(EXIT_FAILURE);
  });
}
