-- Each database, first of all: what would act on its own, wait for ever, or reach for other servers and programs.

-- Transactions somebody prepared and never ended hold locks for ever.
SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database() \gexec

SELECT format('ALTER EVENT TRIGGER %I DISABLE', evtname) FROM pg_event_trigger \gexec

SELECT format('ALTER SUBSCRIPTION %I DISABLE', subname) FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gexec
SELECT format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subname) FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gexec
SELECT format('DROP SUBSCRIPTION %I', subname) FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gexec

-- Passwords for other servers: those of user mappings, and those that sloppy wrappers let stand elsewhere. And programs
-- and files that file_fdw would run and read for whoever may select from the table.
SELECT format('DROP USER MAPPING FOR %s SERVER %I',
    CASE WHEN umuser = 0 THEN 'PUBLIC' ELSE format('%I', usename) END, srvname)
  FROM pg_user_mappings \gexec
UPDATE pg_foreign_server SET srvoptions = ARRAY(
    SELECT option FROM unnest(srvoptions) AS option WHERE split_part(option, '=', 1) !~* 'pass|secret|token')
  WHERE srvoptions IS NOT NULL;
UPDATE pg_foreign_table SET ftoptions = ARRAY(
    SELECT option FROM unnest(ftoptions) AS option
    WHERE split_part(option, '=', 1) !~* '^(program|filename)$|pass|secret|token')
  WHERE ftoptions IS NOT NULL;

-- What sessions of the source had as temporary when the backup was taken: their files are gone.
SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace
  WHERE nspname ~ '^pg_temp_[0-9]+$' AND oid <> pg_my_temp_schema() \gexec
