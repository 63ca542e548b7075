-- Each database, once it has been scrubbed. Statistics only make queries faster. They cannot be had where a type's functions are missing
-- or a partition is elsewhere. The functions of indexes may rely on the database's own search path, so that ours is spelled out.

\set ON_ERROR_STOP off
SELECT pg_catalog.format('ANALYZE %I.%I', nspname, relname) FROM pg_catalog.pg_class
  JOIN pg_catalog.pg_namespace ON pg_namespace.oid OPERATOR(pg_catalog.=) relnamespace
  WHERE (relkind OPERATOR(pg_catalog.=) 'r' OR relkind OPERATOR(pg_catalog.=) 'p'
    OR (relkind OPERATOR(pg_catalog.=) 'm' AND relispopulated))
  AND relpersistence OPERATOR(pg_catalog.<>) 't' \gexec
