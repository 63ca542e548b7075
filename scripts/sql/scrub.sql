-- Each database, last: dead rows live on in heaps and indexes.
-- `full` says whether tables are written anew, or the space of dead rows is only marked as free; `shared` whether the catalogues
-- that all databases have in common are among them. Of two databases at once only one may: each would wait for the other.

\if :full
\if :shared
VACUUM (FULL, FREEZE);
\else
-- The functions of indexes may rely on the database's own search path, so that ours is spelled out.
SELECT pg_catalog.format('VACUUM (FULL, FREEZE) %I.%I', nspname, relname) FROM pg_catalog.pg_class
  JOIN pg_catalog.pg_namespace ON pg_namespace.oid OPERATOR(pg_catalog.=) relnamespace
  WHERE (relkind OPERATOR(pg_catalog.=) 'r' OR relkind OPERATOR(pg_catalog.=) 'm')
  AND relpersistence OPERATOR(pg_catalog.<>) 't' AND NOT relisshared \gexec
\endif
\else
VACUUM (FREEZE, INDEX_CLEANUP true);
-- Small, and whole of what must not be found.
VACUUM (FULL, FREEZE) pg_catalog.pg_statistic, pg_catalog.pg_statistic_ext_data, pg_catalog.pg_description;
\if :shared
VACUUM (FULL, FREEZE) pg_catalog.pg_authid, pg_catalog.pg_shdescription, pg_catalog.pg_db_role_setting;
\endif
\endif
