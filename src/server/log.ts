import { pino } from 'pino';
import type { Logger } from 'pino';

/** Characters that may wait to be written; when nobody takes them off for so long, lines are lost. */
const MAX_WAITING = 16 * 1024 * 1024;

/**
 * JSON lines on stdout; `environment` is on each of them. They are written beside the work, each at once or together with those
 * that came while the one before was written; what waits is written before the process exits.
 */
export function createLog(options: { level: string; environment: string }): Logger {
  const lines = pino.destination({ dest: 1, sync: false, maxLength: MAX_WAITING });
  return pino(
    {
      level: options.level,
      base: { environment: options.environment },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    lines,
  );
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
