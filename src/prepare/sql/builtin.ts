import type { Session } from '../postgres/session.ts';

/**
 * Each database: owner and privileges of every object that initdb creates become those of a fresh cluster. Otherwise a role of the
 * source that owns, or may write to, pg_authid would make the next owner of its things a superuser.
 *
 * Such objects have ids below 16384 (FirstNormalObjectId). Schema public keeps the privileges of the source. pg_init_privs holds the
 * privileges that initdb set, except those of information_schema: initdb records them before it runs information_schema.sql. Its
 * grants are the same in 13 to 18: USAGE on the schema and SELECT on its tables and views, apart from the views for its own use
 * (_pg_*), sql_parts, and transforms.
 */
export async function restoreBuiltin(session: Session): Promise<void> {
  await session.run('handing over the ownership', RESTORE);
}

const RESTORE = String.raw`
  UPDATE pg_proc SET proowner = 10, prosecdef = false, proacl = initial.acl
    FROM (SELECT p.oid, initprivs AS acl FROM pg_proc p LEFT JOIN pg_init_privs
      ON objoid = p.oid AND classoid = 'pg_proc'::regclass AND objsubid = 0) AS initial
    WHERE initial.oid = pg_proc.oid AND pg_proc.oid < 16384
    AND (proowner <> 10 OR prosecdef OR proacl::text IS DISTINCT FROM initial.acl::text);

  UPDATE pg_class SET relowner = 10, relacl = initial.acl
    FROM (SELECT c.oid, coalesce(initprivs,
        CASE WHEN nspname = 'information_schema' AND relkind IN ('r', 'v') AND NOT starts_with(relname, '_pg_')
          AND relname NOT IN ('sql_parts', 'transforms')
        THEN acldefault('r', 10::oid) || makeaclitem(0, 10, 'SELECT', false) END) AS acl
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace LEFT JOIN pg_init_privs
      ON objoid = c.oid AND classoid = 'pg_class'::regclass AND objsubid = 0) AS initial
    WHERE initial.oid = pg_class.oid AND pg_class.oid < 16384
    AND (relowner <> 10 OR relacl::text IS DISTINCT FROM initial.acl::text);

  UPDATE pg_attribute SET attacl = initial.acl
    FROM (SELECT attrelid AS relation, attnum AS number, initprivs AS acl FROM pg_attribute LEFT JOIN pg_init_privs
      ON objoid = attrelid AND classoid = 'pg_class'::regclass AND objsubid = attnum WHERE attrelid < 16384) AS initial
    WHERE initial.relation = attrelid AND initial.number = attnum AND attacl::text IS DISTINCT FROM initial.acl::text;

  UPDATE pg_namespace SET nspowner = 10, nspacl = initial.acl
    FROM (SELECT n.oid, coalesce(initprivs, CASE WHEN nspname = 'information_schema'
        THEN acldefault('n', 10::oid) || makeaclitem(0, 10, 'USAGE', false) END) AS acl
      FROM pg_namespace n LEFT JOIN pg_init_privs
      ON objoid = n.oid AND classoid = 'pg_namespace'::regclass AND objsubid = 0) AS initial
    WHERE initial.oid = pg_namespace.oid AND pg_namespace.oid < 16384 AND nspname <> 'public'
    AND (nspowner <> 10 OR nspacl::text IS DISTINCT FROM initial.acl::text);

  UPDATE pg_type SET typowner = 10, typacl = initial.acl
    FROM (SELECT t.oid, initprivs AS acl FROM pg_type t LEFT JOIN pg_init_privs
      ON objoid = t.oid AND classoid = 'pg_type'::regclass AND objsubid = 0) AS initial
    WHERE initial.oid = pg_type.oid AND pg_type.oid < 16384
    AND (typowner <> 10 OR typacl::text IS DISTINCT FROM initial.acl::text);

  UPDATE pg_language SET lanowner = 10, lanacl = initial.acl
    FROM (SELECT l.oid, initprivs AS acl FROM pg_language l LEFT JOIN pg_init_privs
      ON objoid = l.oid AND classoid = 'pg_language'::regclass AND objsubid = 0) AS initial
    WHERE initial.oid = pg_language.oid AND pg_language.oid < 16384
    AND (lanowner <> 10 OR lanacl::text IS DISTINCT FROM initial.acl::text);

  -- With a trusted language C any user could load any code.
  UPDATE pg_language SET lanpltrusted = false
    WHERE lanpltrusted AND (lanname IN ('internal', 'c') OR lanname ~ '^(plperl|pltcl|plpython[23]?)u$');

  -- REASSIGN OWNED follows these.
  DELETE FROM pg_shdepend WHERE objid < 16384 AND deptype IN ('o', 'a')
    AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass, 'pg_type'::regclass,
      'pg_language'::regclass)
    AND NOT (classid = 'pg_namespace'::regclass AND objid IN (SELECT oid FROM pg_namespace WHERE nspname = 'public'))
`;
