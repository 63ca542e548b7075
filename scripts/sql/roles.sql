-- Roles and databases of the whole cluster, before the anonymisation. Run once, by draupnir-admin.

-- The source may have been removing these when it was backed up: nobody can connect to them, but their files are there.
UPDATE pg_database SET datistemplate = false WHERE datconnlimit = -2;
SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datconnlimit = -2 \gexec

SELECT format('CREATE DATABASE postgres TEMPLATE %I', min(datname)) FROM pg_database
  WHERE datname IN ('template0', 'template1') AND NOT EXISTS (SELECT FROM pg_database WHERE datname = 'postgres')
  HAVING count(*) > 0 \gexec

-- Role draupnir belongs to the owner of an instance; a role of the source that has its name makes room.
-- It is superuser until the end of the preparation: some kinds of objects can belong to a superuser only.
UPDATE pg_authid SET rolname = 'draupnir-' || oid WHERE rolname = 'draupnir';
CREATE ROLE draupnir LOGIN SUPERUSER CREATEDB;

UPDATE pg_authid SET rolpassword = NULL, rolvaliduntil = NULL WHERE rolpassword IS NOT NULL;

-- Settings kept in the catalogue that load code into every session.
UPDATE pg_db_role_setting SET setconfig = ARRAY(
    SELECT setting FROM unnest(setconfig) AS setting WHERE split_part(setting, '=', 1) !~ 'preload_libraries$');
DELETE FROM pg_db_role_setting WHERE setconfig = '{}';
