import { PreparationFailure } from '../failure.ts';
import type { Cluster } from '../workplace.ts';
import { Session } from './session.ts';

/** A database of the backup. */
export interface Database {
  readonly oid: number;
  /** For a connection, if it is nameable. */
  readonly name: string;
  /** Whether its name is UTF-8. The name has the encoding of the session that gave it, and none is noted (PostgreSQL manual, 24.3). */
  readonly isNameable: boolean;
}

/** What pg makes of bytes that are no UTF-8. */
const REPLACEMENT = '\uFFFD';

/** All databases that take connections, the largest first. */
export async function listDatabases(cluster: Cluster): Promise<Database[]> {
  const rows = await withSession(cluster, 'template1', true, (session) =>
    session.run<{ oid: number; name: string }>(
      'the list of the databases',
      `SELECT oid, datname AS name FROM pg_database WHERE datallowconn AND datconnlimit <> -2
        ORDER BY pg_database_size(oid) DESC`,
    ),
  );
  if (rows.length === 0) throw new PreparationFailure('the databases of the backup cannot be listed');
  return rows.map(({ oid, name }) => ({ oid, name, isNameable: !name.includes(REPLACEMENT) }));
}

/** Opens a session for the work and ends it; see `SessionTarget` for `isOwn`. */
export async function withSession<T>(
  cluster: Cluster,
  database: string,
  isOwn: boolean,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await Session.open(cluster, { database, isOwn });
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}

/** The same for a database of any name: one that we cannot send has another meanwhile. */
export async function withDatabase<T>(
  cluster: Cluster,
  database: Database,
  isOwn: boolean,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  if (database.isNameable) return withSession(cluster, database.name, isOwn, work);
  const { oid } = database;
  const step = 'naming the database';
  return withSession(cluster, 'template1', true, async (holder) => {
    await holder.run(
      step,
      `CREATE TEMP TABLE draupnir_name AS SELECT datname AS name FROM pg_database WHERE oid = ${oid};
      UPDATE pg_database SET datname = 'draupnir-database-${oid}' WHERE oid = ${oid}`,
    );
    const restore = `UPDATE pg_database SET datname = name FROM pg_temp.draupnir_name WHERE oid = ${oid};
      DROP TABLE pg_temp.draupnir_name`;
    let result: T;
    try {
      result = await withSession(cluster, `draupnir-database-${oid}`, isOwn, work);
    } catch (error) {
      // The first failure is the reason.
      await holder.query(restore).catch(() => undefined);
      throw error;
    }
    await holder.run(step, restore);
    return result;
  });
}
