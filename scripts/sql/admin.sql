DO $do$
DECLARE
  taken oid := (SELECT oid FROM pg_authid WHERE rolname = 'draupnir-admin');
BEGIN
  IF taken IS NOT NULL THEN
    EXECUTE format('ALTER ROLE "draupnir-admin" RENAME TO %I', 'draupnir-admin-' || taken);
  END IF;
  CREATE ROLE "draupnir-admin" SUPERUSER LOGIN;
  -- Databases closed to connections would escape the anonymisation; template0 is never written to.
  UPDATE pg_database SET datallowconn = true, datconnlimit = -1 WHERE datname <> 'template0' AND datconnlimit <> -2;
END
$do$;

