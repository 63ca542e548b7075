/** Owner and privileges of an object that initdb creates, except schema public, which belongs to the user. */
export const PRIVILEGES = `
WITH objects (kind, class, id, sub, name, owner, acl) AS (
  SELECT 'schema', 'pg_namespace'::regclass, oid, 0, oid::regnamespace::text, nspowner, nspacl
    FROM pg_namespace WHERE nspname <> 'public' AND nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT 'relation', 'pg_class'::regclass, oid, 0, oid::regclass::text, relowner, relacl FROM pg_class
  UNION ALL SELECT 'column', 'pg_class'::regclass, attrelid, attnum, attrelid::regclass || '.' || attname, 10, attacl
    FROM pg_attribute
  UNION ALL SELECT 'function', 'pg_proc'::regclass, oid, 0, oid::regprocedure::text, proowner, proacl FROM pg_proc
  UNION ALL SELECT 'language', 'pg_language'::regclass, oid, 0, lanname || lanpltrusted, lanowner, lanacl FROM pg_language
  UNION ALL SELECT 'type', 'pg_type'::regclass, oid, 0, oid::regtype::text, typowner, typacl FROM pg_type
)
SELECT format('%s %s %s %s', kind, name, CASE owner WHEN 10 THEN 'superuser' ELSE owner::regrole::text END,
    coalesce((SELECT string_agg(format('%s:%s:%s', CASE grantee WHEN 0 THEN 'public' WHEN 10 THEN 'superuser'
      ELSE grantee::regrole::text END, privilege_type, is_grantable), ',' ORDER BY grantee, privilege_type)
     FROM aclexplode(acl) WHERE grantee <> owner), 'none'))
  FROM objects WHERE id < 16384 ORDER BY 1`;

/** What an administrator may have granted, revoked, and handed over in a database. Needs `allow_system_table_mods`. */
export const CHANGES = `
CREATE ROLE meddler;
GRANT ALL ON pg_authid, information_schema.tables TO meddler;
GRANT UPDATE (rolsuper) ON pg_authid TO meddler;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA pg_catalog, information_schema TO meddler;
GRANT ALL ON SCHEMA pg_catalog, information_schema TO meddler;
REVOKE ALL ON SCHEMA information_schema FROM PUBLIC;
REVOKE SELECT ON ALL TABLES IN SCHEMA information_schema FROM PUBLIC;
GRANT SELECT ON information_schema._pg_foreign_servers, information_schema.sql_parts TO PUBLIC;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
UPDATE pg_language SET lanpltrusted = true WHERE lanname = 'c';
GRANT USAGE ON LANGUAGE c TO meddler;
REVOKE USAGE ON TYPE text FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION lower(text) FROM PUBLIC;
ALTER TYPE information_schema.cardinal_number OWNER TO meddler;
ALTER FUNCTION pg_catalog.upper(text) OWNER TO meddler;
ALTER TABLE information_schema.sql_features OWNER TO meddler;
`;
