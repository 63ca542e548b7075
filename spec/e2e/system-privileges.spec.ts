import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { Cluster } from './support/cluster.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, UPLOAD_USER } from './support/installation.ts';
import { useServer } from './support/use-server.ts';

const server = useServer();

/** Owner and privileges of an object that initdb creates, except schema public, which belongs to the user. */
const PRIVILEGES = `
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

/** What an administrator of the source may have granted, revoked, and handed over in database \`source\`. */
const CHANGES = `
CREATE ROLE app;
GRANT ALL ON pg_authid, information_schema.tables TO app;
GRANT UPDATE (rolsuper) ON pg_authid TO app;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA pg_catalog, information_schema TO app;
GRANT ALL ON SCHEMA pg_catalog, information_schema TO app;
REVOKE ALL ON SCHEMA information_schema FROM PUBLIC;
REVOKE SELECT ON ALL TABLES IN SCHEMA information_schema FROM PUBLIC;
GRANT SELECT ON information_schema._pg_foreign_servers, information_schema.sql_parts TO PUBLIC;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
UPDATE pg_language SET lanpltrusted = true WHERE lanname = 'c';
GRANT USAGE ON LANGUAGE c TO app;
REVOKE USAGE ON TYPE text FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION lower(text) FROM PUBLIC;
ALTER TYPE information_schema.cardinal_number OWNER TO app;
ALTER FUNCTION pg_catalog.upper(text) OWNER TO app;
ALTER TABLE information_schema.sql_features OWNER TO app;
`;

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function createCluster(name: string, major: number): Promise<Cluster> {
  const { postgres, scratch } = getInstallation();
  const cluster = new Cluster({
    postgres,
    major,
    dir: join(scratch, `privileges-${name}`),
    user: UPLOAD_USER,
  });
  await cluster.create();
  await cluster.start();
  undo.push(() => cluster.stop());
  await cluster.query('postgres', 'CREATE DATABASE fresh TEMPLATE template0');
  return cluster;
}

describe('the objects that initdb creates', () => {
  it.each([13, 14, 15, 16, 17, 18])(
    'get the owners and privileges of a fresh cluster of %i',
    async (major) => {
      const cluster = await createCluster(String(major), major);
      await cluster.query('postgres', 'CREATE DATABASE source TEMPLATE template0');
      await cluster.query('source', `SET allow_system_table_mods = on; ${CHANGES}`);
      const fresh = (await cluster.query('fresh', PRIVILEGES)).split('\n');
      expect((await cluster.query('source', PRIVILEGES)).split('\n')).not.toEqual(fresh);

      await cluster.query(
        'source',
        await readFile(join(getInstallation().scripts, 'sql/builtin.sql'), 'utf8'),
      );

      expect((await cluster.query('source', PRIVILEGES)).split('\n')).toEqual(fresh);
      expect(fresh.length).toBeGreaterThan(5000);
    },
  );

  it('have them in an instance too, whose owner can read information_schema', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    const cluster = await createCluster('instance', getInstallation().debianMajor);
    const fresh = (await cluster.query('fresh', PRIVILEGES)).split('\n');

    expect(await query(instance, PRIVILEGES)).toEqual(fresh);
    const tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`;
    expect(await query(instance, tables)).toContain('customers');
  });
});
