import { CliError, findErrorCode } from './failure.ts';

const REASONS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many symbolic links',
  EDQUOT: 'disk quota exceeded',
  EPIPE: 'its reader has gone',
};

/** Turns an error of node:fs into `cannot read FILE: permission denied`. */
export function describeFileFailure(
  error: unknown,
  action: 'read' | 'write',
  file: string,
  hint?: string,
): CliError {
  const code = findErrorCode(error) ?? 'unknown error';
  return new CliError(`cannot ${action} ${file}: ${REASONS[code] ?? code}`, { hint, cause: error });
}
