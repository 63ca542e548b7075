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
SELECT pg_class.oid, max(level) AS level, format('%I.%I', nspname, relname) AS name, false AS done, (
    SELECT substr(setting, length('search_path=') + 1) FROM pg_db_role_setting, unnest(setconfig) AS setting
      WHERE setrole = relowner AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND setting LIKE 'search_path=%' ORDER BY setdatabase DESC LIMIT 1) AS path
  FROM levels JOIN pg_class ON pg_class.oid = view JOIN pg_namespace ON pg_namespace.oid = relnamespace
  WHERE relkind = 'm' AND relispopulated
  GROUP BY pg_class.oid, nspname, relname, relowner`;

const ALL = `SELECT 'REFRESH MATERIALIZED VIEW ' OPERATOR(pg_catalog.||) name`;

/**
 * A function may read another view, which no dependency shows: rounds go on as long as one more view succeeds. A view is read with
 * the search path of its owner where that role has one of its own, or else with that of the database.
 */
const REFRESH = `DO $draupnir$
DECLARE
  refreshed int;
  view record;
  usual text := pg_catalog.current_setting('search_path');
BEGIN
  LOOP
    refreshed := 0;
    FOR view IN SELECT oid, name, path FROM pg_temp.draupnir_refresh WHERE NOT done ORDER BY level LOOP
      BEGIN
        PERFORM pg_catalog.set_config('search_path', coalesce(view.path, usual), false);
        EXECUTE 'REFRESH MATERIALIZED VIEW ' OPERATOR(pg_catalog.||) view.name;
        UPDATE pg_temp.draupnir_refresh SET done = true WHERE oid OPERATOR(pg_catalog.=) view.oid;
        refreshed := refreshed OPERATOR(pg_catalog.+) 1;
      EXCEPTION WHEN OTHERS OR ASSERT_FAILURE OR QUERY_CANCELED THEN NULL;
      END;
      COMMIT;
    END LOOP;
    EXIT WHEN refreshed OPERATOR(pg_catalog.=) 0;
  END LOOP;
END
$draupnir$`;

/**
 * Each database, after the anonymisation: a materialised view is a copy, which still holds what it has read before. It is emptied,
 * and read anew after those it reads itself. One that cannot be, such as of a table on another server, stays empty.
 */
export async function refreshViews(session: Session): Promise<void> {
  await session.run(STEP, LIST_VIEWS);
  await session.runEach(STEP, `${ALL} OPERATOR(pg_catalog.||) ' WITH NO DATA' FROM pg_temp.draupnir_refresh`);
  await session.run(STEP, 'RESET search_path');
  await session.run(STEP, REFRESH);
}
