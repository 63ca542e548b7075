-- Once, after all databases have been scrubbed.

UPDATE pg_database SET datallowconn = false, datistemplate = true WHERE datname = 'template0';

-- Removed values also live on in the write-ahead log; with wal_recycle off a checkpoint deletes the segments that a switch
-- has ended (PostgreSQL manual, 20.5.1).
SELECT pg_switch_wal() AS switched \gset
CHECKPOINT;
SELECT pg_switch_wal() AS switched \gset
CHECKPOINT;
SELECT pg_switch_wal() AS switched \gset
CHECKPOINT;
