import { DomainError } from '../core/errors.ts';

/** Exit codes of the scripts (sysexits.h; scripts/lib/common.sh). */
export const EX_DATAERR = 65;
/** What the script was to work on is not there: the database was restored to a time before it went, for example. */
export const EX_NOINPUT = 66;
export const EX_CANTCREAT = 73;
export const EX_IOERR = 74;

/** A script that failed for a reason that is not the caller's. Its output stays out of the message: log it, never answer it. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
  readonly script: string;
  readonly exitCode: number | undefined;
  /** Last lines the script printed for the operator. */
  readonly reason: string;

  constructor(script: string, exitCode: number | undefined, reason: string) {
    super(`${script} failed`);
    this.script = script;
    this.exitCode = exitCode;
    this.reason = reason;
  }
}

/**
 * What the programs that a script runs say of ENOSPC and EDQUOT (errno(3)), in the C locale; none of them has an exit code
 * for it.
 */
const NO_SPACE = /No space left on device|Disk quota exceeded/;

/** What the failure of a script means: `insufficient_disk` where it could not write for want of space, else itself. */
export function toFailure(error: ScriptError): Error {
  return error.exitCode === EX_IOERR || NO_SPACE.test(error.reason) ? createFullError(error) : error;
}

/** A script has found no space left on the volume. */
export function createFullError(cause?: unknown): DomainError {
  const hint = 'destroy images or instances that nobody needs';
  return new DomainError('insufficient_disk', `the volume is full: ${hint}`, { cause });
}

/**
 * Rethrows; a script that found its id taken on disk becomes `id_occupied`. It has touched nothing, so nothing may be
 * cleaned up after it: what is there belongs to somebody the database has forgotten, after a restore for example.
 */
export function throwOccupied(error: unknown): never {
  if (error instanceof ScriptError && error.exitCode === EX_CANTCREAT) {
    const hint =
      'the data directory holds something unknown under the next id: ask again, and tell the operator';
    throw new DomainError('id_occupied', hint, { cause: error });
  }
  throw error;
}
