-- Each database, before any is scrubbed: what Postgres itself keeps of values and of people's words. A row that is deleted while another
-- session starts or works is kept by the VACUUM that follows as long as that one might see it; so all of it is deleted before, and
-- those that come later see none of it (PostgreSQL manual, 25.1.2).

-- What people wrote about their objects, and labels for programs that are not loaded here: nothing depends on either.
DELETE FROM pg_description WHERE objoid >= 16384 OR objoid IN (SELECT oid FROM pg_namespace WHERE nspname = 'public');
DELETE FROM pg_seclabel;
DELETE FROM pg_shdescription;
DELETE FROM pg_shseclabel;
DELETE FROM pg_statistic;
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
