import { ConfigError } from '../config/problem.ts';

/** sysexits.h */
const EX_CONFIG = 78;
const EX_FAILURE = 1;

/** Says on stderr why the server cannot start, a line a problem; gives the exit code. */
export function reportStartFailure(error: unknown): number {
  const lines = error instanceof ConfigError ? error.lines : [describeFailure(error)];
  for (const line of lines) process.stderr.write(`draupnir: ${line}\n`);
  return error instanceof ConfigError ? EX_CONFIG : EX_FAILURE;
}

/** The message of an error, for people. */
export function describeFailure(error: unknown): string {
  // An AggregateError (a host name with several addresses) has an empty message.
  if (error instanceof AggregateError) return error.errors.map(describeFailure).join('; ');
  return error instanceof Error ? error.message : 'unknown failure';
}
