/**
 * Personal values in every place of a cluster that they can stay in, and an anonymisation that does no more than to remove
 * them from where SQL shows them. Runs on every major.
 */

/** Part of every value. */
export const MARK = 'Zq81planted';

/** Pieces of the one value that Postgres compresses; its method keeps short ones as they are (pglz: runs of up to 8 bytes). */
export const COMPRESSED_PIECES = ['Jx#7w', 'Vy%3k', 'Qb!9m', 'Tz&5h'];

/** Uploaded along with the data directory, as what servers write into it. */
export const PLANTED_FILES = [
  'log/postgresql.log',
  'pg_log/postgresql.csv',
  'pg_stat/pg_stat_statements.stat',
  'pg_stat_tmp/pgss_query_texts.stat',
  'pg_notify/0000',
  'pg_replslot/slot/state',
  'base/pgsql_tmp/pgsql_tmp77.0',
];

/** Names that follow the mark in values that are in the bytes of a backup; expressions are not stored as text. */
export const PLACES = [
  ...[
    'kept-',
    'dropped-table',
    'toast',
    'dropped-column',
    'deleted-',
    'deleted-by-script',
    'truncated-by-script',
  ],
  ...[
    'first-',
    'last-',
    'comment',
    'column-comment',
    'schema-comment',
    'database-comment',
    'role-comment',
    'function',
  ],
  ...['dropped-function', 'large-object', 'unlogged', 'event-', 'json', 'array', 'words', 'setting'],
  'file',
];

const value = (place: string): string => `${MARK}-${place}@victim.example`;
/** Too random to be compressed, and long enough to leave its row. */
const wide = (place: string): string =>
  `'${value(place)}' || (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)`;

/** In every database. */
const PLANT_EVERYWHERE = `
CREATE TABLE kept (id int PRIMARY KEY, email text);
INSERT INTO kept SELECT i, '${MARK}-kept-' || i || '@victim.example' FROM generate_series(1, 300) i;
CREATE INDEX ON kept (email);
CREATE TABLE dropped_here (email text);
INSERT INTO dropped_here VALUES ('${value('dropped-table')}');
DROP TABLE dropped_here;
ANALYZE;
`;

/** In database shop; the statements follow the list of places. */
export const PLANT = `${PLANT_EVERYWHERE}
CREATE INDEX ON kept (upper(email));
CREATE TABLE toasted (id int, apart text, compressed text);
ALTER TABLE toasted ALTER apart SET STORAGE EXTERNAL;
INSERT INTO toasted SELECT 1, ${wide('toast')}, repeat('${COMPRESSED_PIECES.join(' ')} and so on, ', 2000);
ALTER TABLE kept ADD COLUMN phone text;
UPDATE kept SET phone = '${value('dropped-column')}';
ALTER TABLE kept DROP COLUMN phone;
CREATE TABLE deleted (email text);
INSERT INTO deleted SELECT '${MARK}-deleted-' || i FROM generate_series(1, 2000) i;
CREATE INDEX ON deleted (email);
ANALYZE deleted;
DELETE FROM deleted;
CREATE TABLE deleted_by_script AS SELECT '${value('deleted-by-script')}' AS email;
CREATE TABLE truncated AS SELECT '${value('truncated')}' AS email;
TRUNCATE truncated;
CREATE TABLE truncated_by_script AS SELECT ${wide('truncated-by-script')} AS email;
CREATE MATERIALIZED VIEW emails AS SELECT id, email FROM kept;
CREATE INDEX ON emails (email);
CREATE MATERIALIZED VIEW domains AS SELECT DISTINCT email || ' again' AS email FROM emails;
CREATE TABLE correlated AS SELECT '${MARK}-first-' || i % 5 AS first, '${MARK}-last-' || i % 5 AS last FROM generate_series(1, 2000) i;
CREATE STATISTICS names (mcv, dependencies) ON first, last FROM correlated;
ANALYZE correlated;
COMMENT ON TABLE kept IS '${value('comment')}';
COMMENT ON COLUMN kept.email IS '${value('column-comment')}';
COMMENT ON SCHEMA public IS '${value('schema-comment')}';
COMMENT ON DATABASE shop IS '${value('database-comment')}';
COMMENT ON ROLE app IS '${value('role-comment')}';
COMMENT ON TABLE deleted IS 'x';
CREATE FUNCTION greet() RETURNS text LANGUAGE sql AS $$ SELECT 'hello ${value('function')}' $$;
CREATE FUNCTION dropped() RETURNS text LANGUAGE sql AS $$ SELECT '${value('dropped-function')}' $$;
DROP FUNCTION dropped();
CREATE VIEW vip AS SELECT * FROM kept WHERE email = '${value('view')}';
ALTER TABLE deleted ALTER email SET DEFAULT '${value('default')}';
SELECT lo_from_bytea(4711, convert_to('${value('large-object')}', 'UTF8'));
CREATE UNLOGGED TABLE unlogged AS SELECT '${value('unlogged')}' AS email;
CREATE TABLE events (day int, email text) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (10);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
INSERT INTO events SELECT i, '${MARK}-event-' || i FROM generate_series(1, 19) i;
CREATE INDEX ON events (email);
CREATE TABLE documents (body jsonb, tags text[], words tsvector);
INSERT INTO documents VALUES ('{"email": "${value('json')}"}', ARRAY['${value('array')}'], '${value('words')}'::tsvector);
CREATE INDEX ON documents USING gin (body);
CREATE INDEX ON documents USING gin (words);
ALTER ROLE app PASSWORD '${value('password')}';
ALTER DATABASE shop SET my.contact = '${value('setting')}';
NOTIFY people, '${value('notification')}';
\\c postgres
${PLANT_EVERYWHERE}
CREATE DATABASE second;
\\c second
${PLANT_EVERYWHERE}
\\c template1
${PLANT_EVERYWHERE}
\\c postgres
ALTER DATABASE template0 ALLOW_CONNECTIONS true;
\\c template0
${PLANT_EVERYWHERE}
DROP TABLE kept;
\\c postgres
ALTER DATABASE template0 ALLOW_CONNECTIONS false;
`;

const REMOVE_EVERYWHERE = `UPDATE kept SET email = 'person-' || id || '@anonymous.invalid';
`;

/** No VACUUM, no ANALYZE, no refresh: what a careful person would write who thinks of tables. */
export const REMOVE = `\\c template1
${REMOVE_EVERYWHERE}
\\c second
${REMOVE_EVERYWHERE}
\\c postgres
${REMOVE_EVERYWHERE}
\\c shop
${REMOVE_EVERYWHERE}
UPDATE customers SET name = 'Customer ' || id, email = 'customer-' || id || '@anonymous.invalid';
UPDATE toasted SET apart = 'x', compressed = 'x';
DELETE FROM deleted_by_script;
TRUNCATE truncated_by_script;
UPDATE correlated SET first = 'a', last = 'b';
CREATE OR REPLACE FUNCTION greet() RETURNS text LANGUAGE sql AS $$ SELECT 'hello' $$;
DROP VIEW vip;
ALTER TABLE deleted ALTER email DROP DEFAULT;
SELECT lo_unlink(4711);
UPDATE unlogged SET email = 'x';
UPDATE events SET email = 'x';
UPDATE documents SET body = '{}', tags = '{}', words = '';
ALTER DATABASE shop RESET my.contact;
`;
