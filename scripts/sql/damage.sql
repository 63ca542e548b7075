-- Each database: the first table whose file is shorter than it should be, by its path. Rows in the missing part would vanish
-- without a word. Postgres writes whole blocks; and tables shrink only together with the number of their blocks that is noted
-- in relpages, until version 18, where that number may come from another cluster (pg_restore_relation_stats). Unlogged
-- tables are emptied by recovery.

SELECT pg_relation_filepath(oid)
  FROM pg_class,
  LATERAL (SELECT pg_relation_size(oid) AS size, current_setting('block_size')::int AS block) AS file
  WHERE relkind IN ('r', 'm', 't', 'S') AND relpersistence = 'p'
  AND (size % block <> 0
    OR (relkind <> 'S' AND current_setting('server_version_num')::int < 180000 AND relpages > size / block))
  LIMIT 1;
