import { PreparationFailure } from '../failure.ts';
import type { Cluster } from '../workplace.ts';
import { Session } from './session.ts';

/** The names of all databases that take connections, the largest first. */
export async function listDatabases(cluster: Cluster): Promise<string[]> {
  const names = await withSession(cluster, 'template1', true, (session) =>
    session.run<{ name: string }>(
      'the list of the databases',
      `SELECT datname AS name FROM pg_database WHERE datallowconn AND datconnlimit <> -2
        ORDER BY pg_database_size(oid) DESC`,
    ),
  );
  if (names.length === 0) throw new PreparationFailure('the databases of the backup cannot be listed');
  return names.map(({ name }) => name);
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
