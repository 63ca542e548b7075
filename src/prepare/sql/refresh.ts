import type { Session } from '../postgres/session.ts';

const STEP = 'reading materialised views anew';

// The functions of a view may rely on the database's own search path, so that the statements are kept for later.
const LIST_VIEWS = `SET search_path = pg_catalog;
CREATE TEMP TABLE draupnir_refresh AS
WITH RECURSIVE reads (reader, source) AS (
  SELECT DISTINCT ev_class, refobjid FROM pg_rewrite
    JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid AND refclassid = 'pg_class'::regclass
    JOIN pg_class ON pg_class.oid = refobjid AND relkind IN ('m', 'v')
    WHERE refobjid <> ev_class
), levels (view, level) AS (
  SELECT oid, 0 FROM pg_class WHERE relkind IN ('m', 'v')
  UNION
  -- Views that read each other in a circle are possible, and can never be queried.
  SELECT reader, level + 1 FROM levels JOIN reads ON source = view WHERE level < 100
)
SELECT max(level) AS level, format('%I.%I', nspname, relname) AS name
  FROM levels JOIN pg_class ON pg_class.oid = view JOIN pg_namespace ON pg_namespace.oid = relnamespace
  WHERE relkind = 'm' AND relispopulated
  GROUP BY pg_class.oid, nspname, relname`;

const ALL = `SELECT 'REFRESH MATERIALIZED VIEW ' OPERATOR(pg_catalog.||) name`;

/**
 * Each database, after the anonymisation: a materialised view is a copy, which still holds what it has read before. It is emptied,
 * and read anew after those it reads itself. One that cannot be, such as of a table on another server, stays empty.
 */
export async function refreshViews(session: Session): Promise<void> {
  await session.run(STEP, LIST_VIEWS);
  await session.runEach(STEP, `${ALL} OPERATOR(pg_catalog.||) ' WITH NO DATA' FROM pg_temp.draupnir_refresh`);
  await session.run(STEP, 'RESET search_path');
  await session.tryEach(STEP, `${ALL} FROM pg_temp.draupnir_refresh ORDER BY level`);
}
