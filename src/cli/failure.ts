/** Exit codes beyond 0, after sysexits(3): scripts can tell a slip of the keyboard from a failed operation. */
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 64;
export const EXIT_CONFIG = 78;

/** Why a command failed, in words for the person who ran it. The message never holds a token or file contents. */
export class CliError extends Error {
  /** The way out, shown on a line of its own. */
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(
    message: string,
    options: { hint?: string | undefined; exitCode?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'CliError';
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? EXIT_FAILURE;
  }
}

/** The `code` of an error of the system or of Node (`ENOENT`, `ECONNREFUSED`), if it has one. */
export function findErrorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
