-- Each database, after the anonymisation: role draupnir owns everything that is not part of Postgres or an extension.

-- A schema of the source could otherwise offer functions of its own under the names used here.
SET search_path = pg_catalog;

SELECT format('ALTER DATABASE %I OWNER TO draupnir', current_database())
  WHERE current_database() NOT LIKE 'template_' \gexec

SELECT format('REASSIGN OWNED BY %I TO draupnir', rolname) FROM pg_authid
  WHERE oid >= 16384 AND rolname <> 'draupnir' \gexec

-- What the first superuser owns cannot be reassigned as a whole, since the system catalogue belongs to it as well.
-- User objects have ids from 16384 (FirstNormalObjectId); schema public is older and counts as well.
WITH owned (classid, objid) AS (
  SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relowner = 10 AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE proowner = 10
  UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE typowner = 10 AND typtype IN ('b', 'c', 'd', 'e', 'r')
    AND (typrelid = 0 OR c.relkind = 'c')
    AND NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid)
  UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspowner = 10
  UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprowner = 10
  UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass WHERE opcowner = 10
  UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily WHERE opfowner = 10
  UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation WHERE collowner = 10
  UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion WHERE conowner = 10
  UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE cfgowner = 10
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE dictowner = 10
  UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext WHERE stxowner = 10
  UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language WHERE lanowner = 10
  UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication WHERE pubowner = 10
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper WHERE fdwowner = 10
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server WHERE srvowner = 10
  UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger WHERE evtowner = 10
  UNION ALL SELECT 'pg_largeobject'::regclass, oid FROM pg_largeobject_metadata WHERE lomowner = 10
)
SELECT format('ALTER %s %s OWNER TO draupnir',
    CASE type
      WHEN 'statistics object' THEN 'STATISTICS'
      WHEN 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER'
      WHEN 'composite type' THEN 'TYPE'
      ELSE upper(type)
    END, identity)
  FROM owned, pg_identify_object(classid, objid, 0)
  WHERE (objid >= 16384 OR (classid = 'pg_namespace'::regclass AND identity = 'public'))
  -- Members of an extension, and sequences and types that follow their table.
  AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = owned.classid AND d.objid = owned.objid AND d.deptype = 'e')
  AND NOT EXISTS (
    SELECT FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    WHERE d.classid = 'pg_class'::regclass AND owned.classid = d.classid AND d.objid = owned.objid
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
  \gexec
