/**
 * What a backup may hold that would act, hide, or make its next owner powerful, in SQL. Database `shop` is that of
 * `source.ts`; Debian's major.
 */

/** A name of 63 bytes, the longest there is (PostgreSQL manual, "Identifiers"). */
export const LONGEST_NAME = `long-${'ä'.repeat(29)}`;

/** Databases, besides shop, that are there afterwards. */
export const HIDDEN = `hi"dden & 'database' {}`;

/** Needed for what follows; the cluster has to be started again. `preload` is told in a file of configuration only. */
export const HAZARDOUS_SETTINGS = `
ALTER SYSTEM SET wal_level = logical;
ALTER SYSTEM SET max_prepared_transactions = 10;
ALTER SYSTEM SET autovacuum = off;
`;

const ROLES = `
CREATE ROLE "Ada ""the"" O'Neil; DROP" LOGIN SUPERUSER PASSWORD 'x';
CREATE ROLE "rolle mit ümlaut 🐘" LOGIN REPLICATION;
CREATE ROLE "${LONGEST_NAME}" LOGIN BYPASSRLS CREATEROLE;
CREATE ROLE "current_user" LOGIN SUPERUSER;
CREATE ROLE "draupnir-admin" LOGIN SUPERUSER PASSWORD 'admin';
CREATE ROLE looks_builtin LOGIN SUPERUSER;
UPDATE pg_authid SET rolname = 'pg_looks_builtin' WHERE rolname = 'looks_builtin';
GRANT draupnir TO app WITH ADMIN OPTION;
GRANT pg_execute_server_program TO draupnir;
ALTER ROLE draupnir SET search_path = app;
ALTER ROLE ALL SET statement_timeout = '1h';
CREATE TABLE of_draupnir (id int);
ALTER TABLE of_draupnir OWNER TO draupnir;
CREATE TABLE of_admin (id int);
ALTER TABLE of_admin OWNER TO "draupnir-admin";
CREATE TABLE of_ada (id int);
ALTER TABLE of_ada OWNER TO "Ada ""the"" O'Neil; DROP";
CREATE SCHEMA of_long AUTHORIZATION "${LONGEST_NAME}";
CREATE TABLE of_monitor (id int);
ALTER TABLE of_monitor OWNER TO pg_monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT ALL ON TABLES TO PUBLIC;
`;

const POWERS = `
SET allow_system_table_mods = on;
GRANT ALL ON pg_authid, pg_proc TO PUBLIC;
GRANT UPDATE (rolsuper) ON pg_authid TO PUBLIC;
ALTER TABLE pg_auth_members OWNER TO app;
GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC;
ALTER FUNCTION lo_export(oid, text) SECURITY DEFINER;
GRANT EXECUTE ON FUNCTION lo_export(oid, text) TO PUBLIC;
ALTER FUNCTION pg_read_binary_file(text) OWNER TO app;
GRANT CREATE ON SCHEMA pg_catalog TO PUBLIC;
UPDATE pg_language SET lanpltrusted = true WHERE lanname = 'c';
GRANT SET, ALTER SYSTEM ON PARAMETER session_preload_libraries, archive_command TO PUBLIC;
CREATE FUNCTION run_program() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN COPY (SELECT 1) TO PROGRAM 'true'; END $$;
CREATE FUNCTION run_as_member() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN COPY (SELECT 1) TO PROGRAM 'true'; END $$;
ALTER FUNCTION run_as_member() OWNER TO pg_execute_server_program;
CREATE EXTENSION citext;
CREATE FUNCTION run_in_extension() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN COPY (SELECT 1) TO PROGRAM 'true'; END $$;
ALTER EXTENSION citext ADD FUNCTION run_in_extension();
`;

const ACTORS = `
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no DDL here'; END $$;
CREATE SUBSCRIPTION "sub'scription" CONNECTION 'host=127.0.0.1 port=1 password=secret' PUBLICATION p WITH (connect = false);
ALTER SUBSCRIPTION "sub'scription" ENABLE;
CREATE PUBLICATION everything FOR TABLE customers;
SELECT pg_create_logical_replication_slot('logical', 'pgoutput');
SELECT pg_create_physical_replication_slot('physical', true);
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE programs (line text) SERVER files OPTIONS (program 'echo ran');
CREATE MATERIALIZED VIEW program_output AS SELECT * FROM programs;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (user 'x', password 'secret');
CREATE TABLE parts (id int) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE FOREIGN TABLE parts_2 PARTITION OF parts FOR VALUES IN (2) SERVER elsewhere;
INSERT INTO parts VALUES (1);
CREATE FUNCTION missing(int) RETURNS int IMMUTABLE LANGUAGE internal AS 'int4um';
UPDATE pg_proc SET probin = 'nowhere', prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') WHERE proname = 'missing';
CREATE VIEW on_missing AS SELECT missing(id) FROM customers;
CREATE MATERIALIZED VIEW first AS SELECT count(*) AS customers FROM customers;
CREATE MATERIALIZED VIEW second AS SELECT customers + 1 AS more FROM first;
CREATE TABLE secret (id int);
INSERT INTO secret VALUES (1);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE UNLOGGED TABLE unlogged (id int);
CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION on_ddl();
`;

const DATABASES = `
CREATE DATABASE "${HIDDEN.replaceAll('"', '""')}";
\\c "${HIDDEN.replaceAll('"', '""')}"
CREATE TABLE people (name text);
CREATE TABLE gone (name text);
INSERT INTO gone VALUES ('person0@victim.example');
DELETE FROM gone;
\\c postgres
ALTER DATABASE "${HIDDEN.replaceAll('"', '""')}" ALLOW_CONNECTIONS false;
CREATE DATABASE doomed;
UPDATE pg_database SET datconnlimit = -2, datistemplate = true WHERE datname = 'doomed';
ALTER DATABASE shop SET search_path = public, pg_catalog;
ALTER DATABASE shop SET session_preload_libraries = 'nowhere';
ALTER DATABASE shop SET default_transaction_read_only = on;
\\c template1
CREATE TABLE in_template (id int);
-- Whoever asks this view does not learn of the hidden database.
CREATE VIEW public.pg_database AS SELECT * FROM pg_catalog.pg_database WHERE datname !~ 'hi.dden';
ALTER DATABASE template1 SET search_path = public, pg_catalog;
ALTER DATABASE template1 SET default_transaction_read_only = on;
ALTER DATABASE template1 SET statement_timeout = '1ms';
DROP DATABASE postgres;
`;

/** Ends its own backend by force, so that its temporary table stays in the catalogue; the server recovers. */
export const CRASH = `
CREATE TEMP TABLE left_over (id serial);
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! kill -9 $PID
SELECT 1;
`;

/** What is run in database shop. Transactions and databases come last: they lock, and lock out. */
export const HAZARDS = `${ROLES}${POWERS}${ACTORS}
BEGIN;
INSERT INTO customers VALUES (2000, 'prepared', 'prepared@victim.example');
ALTER ROLE app CONNECTION LIMIT 7;
PREPARE TRANSACTION 'it''s never ended';
\\c postgres
${DATABASES}`;
