import pg from 'pg';
import { NoSpace, PreparationFailure } from '../failure.ts';
import { formatState } from '../sql-state.ts';
import type { Cluster } from '../workplace.ts';
import { formatSessionOptions } from './session-options.ts';

/** Superuser of a preparation, and of the instances of its image. */
export const ADMIN = 'draupnir-admin';

/** SQLSTATEs of corrupted data and indexes (PostgreSQL manual, appendix A). */
const CORRUPTED = new Set(['XX001', 'XX002']);
/** SQLSTATE of want of space. */
export const DISK_FULL = '53100';

export interface SessionTarget {
  database: string;
  user?: string;
  /** Whether the statements are our own, or run code of the source. */
  isOwn: boolean;
}

/** A connection to the Postgres of a preparation. Errors show their code and never their text, which could quote a row. */
export class Session {
  readonly major: number;
  readonly database: string;
  readonly #client: pg.Client;

  private constructor(client: pg.Client, database: string, major: number) {
    this.#client = client;
    this.database = database;
    this.major = major;
  }

  /** Throws what pg throws. */
  static async connect(cluster: Cluster, { database, user = ADMIN, isOwn }: SessionTarget): Promise<Session> {
    const client = new pg.Client({
      host: cluster.scratch,
      port: 5432,
      user,
      database,
      application_name: 'draupnir',
      options: formatSessionOptions(cluster.major, isOwn),
    });
    // A connection that is lost fails the statement that waits for it.
    client.on('error', () => undefined);
    await client.connect();
    // Names as the bytes that they are: they may have any encoding, and would fail to be converted.
    if (isOwn) await client.query(`SET client_encoding = 'SQL_ASCII'`);
    return new Session(client, database, cluster.major);
  }

  /** The same, which throws PreparationFailure. */
  static async open(cluster: Cluster, target: SessionTarget): Promise<Session> {
    try {
      return await Session.connect(cluster, target);
    } catch (error) {
      throw toFailure('the connection', target.database, error);
    }
  }

  /** Runs statements; `step` says what fails when they do. Resolves to the rows of the last one. */
  async run<Row extends pg.QueryResultRow = Record<string, unknown>>(
    step: string,
    sql: string,
  ): Promise<Row[]> {
    try {
      return await this.query<Row>(sql);
    } catch (error) {
      throw toFailure(step, this.database, error);
    }
  }

  /** The same, which throws what pg throws. */
  async query<Row extends pg.QueryResultRow = Record<string, unknown>>(sql: string): Promise<Row[]> {
    const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await this.#client.query<Row>(sql);
    const last = Array.isArray(result) ? (result as pg.QueryResult<Row>[]).at(-1) : result;
    return last?.rows ?? [];
  }

  /**
   * Carries out the statements that a query returns, each in a transaction of its own. They never leave the server: names may be
   * in encodings that a client cannot name.
   */
  async runEach(step: string, query: string): Promise<void> {
    await this.run(step, formatLoop(query, 'EXECUTE statement;'));
  }

  /** The same for statements of which some may fail. */
  async tryEach(step: string, query: string): Promise<void> {
    await this.run(
      step,
      formatLoop(
        query,
        'BEGIN EXECUTE statement; EXCEPTION WHEN OTHERS OR ASSERT_FAILURE OR QUERY_CANCELED THEN NULL; END;',
      ),
    );
  }

  async end(): Promise<void> {
    await this.#client.end();
  }
}

function formatLoop(query: string, body: string): string {
  return `DO $draupnir$
DECLARE
  statement text;
BEGIN
  FOR statement IN ${query} LOOP
    ${body}
    COMMIT;
  END LOOP;
END
$draupnir$`;
}

/** What a caller is told of an error of ours. */
export function toFailure(step: string, database: string, error: unknown): Error {
  const code = getState(error);
  if (code === DISK_FULL) return new NoSpace(`${step} met a full disk`, { cause: error });
  if (code !== undefined && CORRUPTED.has(code)) {
    return new PreparationFailure(
      `the backup is damaged: ${step} met unreadable data in database ${database}`,
    );
  }
  return new PreparationFailure(`${step} failed in database ${database}${formatState(code)}`);
}

/** The SQLSTATE of an error of the server. */
export function getState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
