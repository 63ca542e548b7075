import type { Session } from '../postgres/session.ts';

const STEP = 'handing over the ownership';

/** Each database, after the anonymisation: role draupnir owns everything that is not part of Postgres or an extension. */
export async function handOver(session: Session): Promise<void> {
  await session.runEach(
    STEP,
    `SELECT format('ALTER DATABASE %I OWNER TO draupnir', current_database())
      WHERE current_database() NOT IN ('template0', 'template1')`,
  );
  await session.runEach(
    STEP,
    `SELECT format('REASSIGN OWNED BY %I TO draupnir', rolname) FROM pg_authid
      WHERE oid >= 16384 AND rolname <> 'draupnir'`,
  );
  await session.runEach(STEP, OF_SYSTEM_ROLES);
}

/**
 * What the first superuser or a role such as pg_monitor owns cannot be reassigned as a whole, since the system catalogue belongs to
 * it as well. Role pg_database_owner (6171) stands for the owner of the database: draupnir. User objects have ids from 16384
 * (FirstNormalObjectId); schema public is older and counts as well.
 */
const OF_SYSTEM_ROLES = `
  WITH owned (classid, objid, owner) AS (
    SELECT 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, t.oid, typowner FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE typtype IN ('b', 'c', 'd', 'e', 'r')
      AND (typrelid = 0 OR c.relkind = 'c')
      AND NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid)
    UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace
    UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner FROM pg_operator
    UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner FROM pg_opclass
    UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner FROM pg_opfamily
    UNION ALL SELECT 'pg_collation'::regclass, oid, collowner FROM pg_collation
    UNION ALL SELECT 'pg_conversion'::regclass, oid, conowner FROM pg_conversion
    UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner FROM pg_ts_config
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner FROM pg_ts_dict
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner FROM pg_statistic_ext
    UNION ALL SELECT 'pg_language'::regclass, oid, lanowner FROM pg_language
    UNION ALL SELECT 'pg_publication'::regclass, oid, pubowner FROM pg_publication
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, fdwowner FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, srvowner FROM pg_foreign_server
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid, evtowner FROM pg_event_trigger
    UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
  )
  SELECT format('ALTER %s %s OWNER TO draupnir',
      CASE type
        WHEN 'statistics object' THEN 'STATISTICS'
        WHEN 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER'
        WHEN 'composite type' THEN 'TYPE'
        ELSE upper(type)
      END, identity)
    FROM owned, pg_identify_object(classid, objid, 0)
    WHERE owner < 16384 AND owner <> 6171
    AND (objid >= 16384 OR (classid = 'pg_namespace'::regclass AND objid IN (SELECT oid FROM pg_namespace WHERE nspname = 'public')))
    -- Not members of an extension, unless they would act as a superuser, nor sequences that follow their table.
    AND (NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = owned.classid AND d.objid = owned.objid AND d.deptype = 'e')
      OR (classid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc WHERE oid = objid AND prosecdef)))
    AND NOT EXISTS (
      SELECT FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
      WHERE d.classid = 'pg_class'::regclass AND owned.classid = d.classid AND d.objid = owned.objid
      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
`;
