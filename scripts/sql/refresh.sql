-- Each database, after the anonymisation: a materialised view is a copy, which still holds what it has read before. It is
-- emptied, and read anew after those it reads itself; one that cannot be, such as of a table on another server, stays empty.

SET search_path = pg_catalog;
-- The functions of a view may rely on the database's own search path, so that the statements are kept for later.
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
  GROUP BY pg_class.oid, nspname, relname;
SELECT format('REFRESH MATERIALIZED VIEW %s WITH NO DATA', name) FROM draupnir_refresh \gexec
RESET search_path;
\set ON_ERROR_STOP off
SELECT 'REFRESH MATERIALIZED VIEW ' OPERATOR(pg_catalog.||) name FROM pg_temp.draupnir_refresh ORDER BY level \gexec
