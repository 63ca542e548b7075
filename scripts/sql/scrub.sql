-- Each database, last: samples of removed values live on in the planner's statistics, dead rows in heaps and indexes.
-- `full` says whether tables are written anew, or the space of dead rows is only marked as free; `shared` whether the catalogues
-- that all databases have in common are among them. Of two databases at once only one may: each would wait for the other.

-- What people wrote about their objects, and labels for programs that are not loaded here: nothing depends on either.
SET search_path = pg_catalog;
DELETE FROM pg_description WHERE objoid >= 16384 OR objoid IN (SELECT oid FROM pg_namespace WHERE nspname = 'public');
DELETE FROM pg_seclabel;
DELETE FROM pg_statistic;
\if :shared
DELETE FROM pg_shdescription;
DELETE FROM pg_shseclabel;
\endif
-- Before version 15 each statistics object has one row here for good.
SELECT current_setting('server_version_num')::int >= 150000 AS may_lack_data,
  current_setting('server_version_num')::int >= 140000 AS has_expressions \gset
\if :may_lack_data
DELETE FROM pg_statistic_ext_data;
\else
UPDATE pg_statistic_ext_data SET stxdndistinct = NULL, stxddependencies = NULL, stxdmcv = NULL;
\if :has_expressions
UPDATE pg_statistic_ext_data SET stxdexpr = NULL;
\endif
\endif

CREATE TEMP TABLE draupnir_tables AS
  SELECT format('%I.%I', nspname, relname) AS name, relkind AS kind, relisshared AS shared, relispopulated AS populated FROM pg_class
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
  WHERE relkind IN ('r', 'm', 'p') AND relpersistence <> 't';
-- The functions of indexes may rely on the database's own search path.
RESET search_path;

\if :full
\if :shared
VACUUM (FULL, FREEZE);
\else
SELECT 'VACUUM (FULL, FREEZE) ' OPERATOR(pg_catalog.||) name FROM pg_temp.draupnir_tables
  WHERE kind OPERATOR(pg_catalog.<>) 'p' AND NOT shared \gexec
\endif
\else
VACUUM (FREEZE, INDEX_CLEANUP true);
-- Small, and whole of what must not be found.
VACUUM (FULL, FREEZE) pg_catalog.pg_statistic, pg_catalog.pg_statistic_ext_data, pg_catalog.pg_description;
\if :shared
VACUUM (FULL, FREEZE) pg_catalog.pg_authid, pg_catalog.pg_shdescription, pg_catalog.pg_db_role_setting;
\endif
\endif

-- Statistics only make queries faster. They cannot be had where a type's functions are missing or a partition is elsewhere.
\set ON_ERROR_STOP off
SELECT 'ANALYZE ' OPERATOR(pg_catalog.||) name FROM pg_temp.draupnir_tables
  WHERE kind OPERATOR(pg_catalog.<>) 'm' OR populated \gexec
