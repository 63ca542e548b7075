import { pino } from 'pino';
import type { Logger } from 'pino';

/** JSON lines on stdout; `environment` is on each of them. */
export function createLog(options: { level: string; environment: string }): Logger {
  return pino({
    level: options.level,
    base: { environment: options.environment },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
  });
}

const FIELDS = ['code', 'script', 'exitCode', 'reason'];

interface ErrorDescription {
  type: string;
  message: string;
  stack: string | undefined;
  [field: string]: unknown;
}

/**
 * What is worth knowing of an error. Only named fields: libraries hang requests, responses and tokens on theirs, and
 * Postgres quotes rows in `detail`.
 */
function describeError(error: unknown): ErrorDescription | string {
  if (!(error instanceof Error)) return 'not an error';
  const { name, message, stack } = error;
  const picked: Record<string, unknown> = {};
  for (const field of FIELDS) if (field in error) picked[field] = Reflect.get(error, field);
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return { type: name, message, ...picked, stack, ...cause };
}
