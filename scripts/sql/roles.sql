-- Roles of the whole cluster, before the anonymisation. Run once, by draupnir-admin.

-- A schema of the source could otherwise offer functions of its own under the names used here.
SET search_path = pg_catalog;

SELECT 'CREATE DATABASE postgres' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'postgres') \gexec

-- Role draupnir belongs to the owner of an instance; a role of the source that has its name makes room.
-- It is superuser until the end of the preparation: some kinds of objects can belong to a superuser only.
SELECT format('ALTER ROLE draupnir RENAME TO %I', 'draupnir-' || oid) FROM pg_authid WHERE rolname = 'draupnir' \gexec
CREATE ROLE draupnir LOGIN SUPERUSER CREATEDB;

UPDATE pg_authid SET rolpassword = NULL, rolvaliduntil = NULL WHERE rolpassword IS NOT NULL;

-- Settings kept in the catalogue that load code into every session.
SELECT CASE
    WHEN setdatabase = 0 AND setrole = 0 THEN format('ALTER ROLE ALL RESET %s', name)
    WHEN setdatabase = 0 THEN format('ALTER ROLE %I RESET %s', rolname, name)
    WHEN setrole = 0 THEN format('ALTER DATABASE %I RESET %s', datname, name)
    ELSE format('ALTER ROLE %I IN DATABASE %I RESET %s', rolname, datname, name)
  END
  FROM pg_db_role_setting
  LEFT JOIN pg_database ON pg_database.oid = setdatabase
  LEFT JOIN pg_authid ON pg_authid.oid = setrole,
  unnest(setconfig) AS setting,
  split_part(setting, '=', 1) AS name
  WHERE name LIKE '%preload_libraries' \gexec
