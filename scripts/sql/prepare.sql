-- Each database, before the anonymisation: what would act on its own.

-- A schema of the source could otherwise offer functions of its own under the names used here.
SET search_path = pg_catalog;

SELECT format('ALTER EVENT TRIGGER %I DISABLE', evtname) FROM pg_event_trigger \gexec

SELECT format('ALTER SUBSCRIPTION %I DISABLE', subname) FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gexec
SELECT format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subname) FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gexec
SELECT format('DROP SUBSCRIPTION %I', subname) FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gexec

-- Passwords for other servers.
SELECT format('DROP USER MAPPING FOR %s SERVER %I',
    CASE WHEN umuser = 0 THEN 'PUBLIC' ELSE format('%I', usename) END, srvname)
  FROM pg_user_mappings \gexec

-- Transactions somebody prepared and never ended hold locks for ever.
SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database() \gexec
