import { pino } from 'pino';
import type { Logger } from 'pino';

/** Characters that may wait to be written; when nobody takes them off for so long, lines are lost. */
const MAX_WAITING = 16 * 1024 * 1024;

/** Characters of lines of requests that are written without waiting for more. */
const MANY = 65_536;
/** How long the line of a request may wait for others, in milliseconds: to write one takes longer than to answer most requests. */
const TOGETHER_MS = 10;
const OF_REQUEST = '"msg":"request"}\n';

/**
 * JSON lines on stdout; `environment` is on each of them. They are written beside the work: those of requests together with what
 * comes within a few milliseconds, all others at once. What waits is written before the process exits; after `process.exit` it may
 * come before what was being written then.
 */
export function createLog(options: { level: string; environment: string }): Logger {
  let waiting = '';
  const flush = (): void => {
    const text = waiting;
    waiting = '';
    if (text !== '') lines.write(text);
  };
  // Before the destination's own, which write what it has by then.
  process.on('beforeExit', flush).on('exit', flush);
  const lines = pino.destination({ dest: 1, sync: false, maxLength: MAX_WAITING });
  const batch = {
    write(line: string): void {
      const isFirst = waiting === '';
      waiting += line;
      if (!line.endsWith(OF_REQUEST) || waiting.length > MANY) flush();
      else if (isFirst) setTimeout(flush, TOGETHER_MS).unref();
    },
  };
  return pino(
    {
      level: options.level,
      base: { environment: options.environment },
      timestamp: createClock(),
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    batch,
  );
}

/** Many lines have the same millisecond, and it takes longer to write down than all the rest of them. */
function createClock(): () => string {
  let last = 0;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== last) {
      last = now;
      text = `,"time":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
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
