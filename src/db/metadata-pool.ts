import pg from 'pg';
import { DomainError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { createTypes } from './timestamps.ts';

const MAX_CONNECTIONS = 10;
/** Longest time of one query, in milliseconds: one that takes longer will not come back. */
const QUERY_TIMEOUT_MS = 30_000;

/** SQLSTATEs of a database that is not to be had: class 08, shutdown and start, too many clients (PostgreSQL manual, appendix A). */
const UNAVAILABLE_STATE = /^(08...|57P0[123]|53300|57014)$/;
/** System errors of a connection (errno(3)); ENOENT is a socket that is not there. */
const UNAVAILABLE_ERRNO =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** pg gives no code to what it finds out itself. */
const UNAVAILABLE_MESSAGE = /connection terminated|connection error|timeout/i;

/**
 * A pool for the metadata database that survives the loss of connections. What fails because the database is not to be had
 * throws `database_unavailable`.
 */
export function createMetadataPool(config: pg.ClientConfig, log: Log): pg.Pool {
  const pool = new pg.Pool({
    query_timeout: QUERY_TIMEOUT_MS,
    types: createTypes(),
    ...config,
    max: MAX_CONNECTIONS,
  });
  pool.on('error', (error) => log.warn({ err: error }, 'lost an idle database connection'));
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
  const guarded = async (...args: unknown[]): Promise<unknown> => {
    try {
      return await query(...args);
    } catch (error) {
      throw isUnavailable(error) ? toDomainError(error) : error;
    }
  };
  // The overloads of pg cannot be written down twice; the stores use the one that returns a promise.
  pool.query = guarded as typeof pool.query;
  return pool;
}

function toDomainError(cause: unknown): DomainError {
  return new DomainError(
    'database_unavailable',
    'the metadata database cannot be reached: try again in a while',
    {
      cause,
    },
  );
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code === undefined) return UNAVAILABLE_MESSAGE.test(error.message);
  return UNAVAILABLE_STATE.test(code) || UNAVAILABLE_ERRNO.test(code);
}
