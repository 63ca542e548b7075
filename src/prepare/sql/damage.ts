import { PreparationFailure } from '../failure.ts';
import type { Session } from '../postgres/session.ts';

/**
 * A table whose file is shorter than it should be. Postgres writes whole blocks; and tables shrink only together with the number of
 * their blocks that is noted in relpages, until version 18, where that number may come from another cluster
 * (pg_restore_relation_stats). Unlogged tables are emptied by recovery. The number may also be too high in a backup whose files are
 * as its manifest says: then it is not looked at.
 */
const formatQuery = (
  isVerified: boolean,
): string => `SELECT oid::regclass::text AS name, pg_relation_filepath(oid) AS path
  FROM pg_class,
  LATERAL (SELECT pg_relation_size(oid) AS size, current_setting('block_size')::int AS block) AS file
  WHERE relkind IN ('r', 'm', 't', 'S') AND relpersistence = 'p'
  AND (size % block <> 0
    OR (${!isVerified} AND relkind <> 'S' AND current_setting('server_version_num')::int < 180000
      AND relpages > size / block))
  LIMIT 1`;

/** Throws PreparationFailure for a file that is shorter than its table: rows of the missing part would be lost silently. */
export async function checkDamage(session: Pick<Session, 'run'>, isVerified: boolean): Promise<void> {
  const step = 'the check of the files';
  const [damaged] = await session.run<{ name: string; path: string }>(step, formatQuery(isVerified));
  if (!damaged) return;
  throw new PreparationFailure(
    `the backup is damaged: ${damaged.path} is shorter than its table, ${damaged.name}; take another backup`,
  );
}
