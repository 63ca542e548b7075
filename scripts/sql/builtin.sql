-- Each database: what is part of Postgres belongs to its first superuser and is open to others only as initdb left it.
-- Otherwise a role of the source that owns, or may write to, pg_authid would make the next owner of its things a superuser.
-- Such objects have ids below 16384 (FirstNormalObjectId); schema public is everybody's.

UPDATE pg_proc SET proowner = 10, prosecdef = false, proacl = initial.acl
  FROM (SELECT p.oid, initprivs AS acl FROM pg_proc p LEFT JOIN pg_init_privs
    ON objoid = p.oid AND classoid = 'pg_proc'::regclass AND objsubid = 0) AS initial
  WHERE initial.oid = pg_proc.oid AND pg_proc.oid < 16384
  AND (proowner <> 10 OR prosecdef OR proacl::text IS DISTINCT FROM initial.acl::text);

UPDATE pg_class SET relowner = 10, relacl = initial.acl
  FROM (SELECT c.oid, initprivs AS acl FROM pg_class c LEFT JOIN pg_init_privs
    ON objoid = c.oid AND classoid = 'pg_class'::regclass AND objsubid = 0) AS initial
  WHERE initial.oid = pg_class.oid AND pg_class.oid < 16384
  AND (relowner <> 10 OR relacl::text IS DISTINCT FROM initial.acl::text);

UPDATE pg_attribute SET attacl = initial.acl
  FROM (SELECT attrelid AS relation, attnum AS number, initprivs AS acl FROM pg_attribute LEFT JOIN pg_init_privs
    ON objoid = attrelid AND classoid = 'pg_class'::regclass AND objsubid = attnum WHERE attrelid < 16384) AS initial
  WHERE initial.relation = attrelid AND initial.number = attnum AND attacl::text IS DISTINCT FROM initial.acl::text;

UPDATE pg_namespace SET nspowner = 10, nspacl = initial.acl
  FROM (SELECT n.oid, initprivs AS acl FROM pg_namespace n LEFT JOIN pg_init_privs
    ON objoid = n.oid AND classoid = 'pg_namespace'::regclass AND objsubid = 0) AS initial
  WHERE initial.oid = pg_namespace.oid AND pg_namespace.oid < 16384 AND nspname <> 'public'
  AND (nspowner <> 10 OR nspacl::text IS DISTINCT FROM initial.acl::text);

UPDATE pg_type SET typowner = 10 WHERE oid < 16384 AND typowner <> 10;

-- With a trusted language C anybody could load anything.
UPDATE pg_language SET lanowner = 10 WHERE oid < 16384 AND lanowner <> 10;
UPDATE pg_language SET lanpltrusted = false
  WHERE lanpltrusted AND (lanname IN ('internal', 'c') OR lanname ~ '^(plperl|pltcl|plpython[23]?)u$');

-- REASSIGN OWNED follows these.
DELETE FROM pg_shdepend WHERE objid < 16384 AND deptype IN ('o', 'a')
  AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass, 'pg_type'::regclass,
    'pg_language'::regclass)
  AND NOT (classid = 'pg_namespace'::regclass AND objid IN (SELECT oid FROM pg_namespace WHERE nspname = 'public'));
