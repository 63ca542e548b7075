import type { Scrub } from '../../core/preparation-request.ts';
import type { Session } from '../postgres/session.ts';

const STEP = 'the scrub';

// The functions of indexes may rely on the database's own search path, so that ours is spelled out.
const OWN_TABLES = `SELECT pg_catalog.format('%I.%I', nspname, relname) AS name FROM pg_catalog.pg_class
  JOIN pg_catalog.pg_namespace ON pg_namespace.oid OPERATOR(pg_catalog.=) relnamespace
  WHERE (relkind OPERATOR(pg_catalog.=) 'r' OR relkind OPERATOR(pg_catalog.=) 'm')
  AND relpersistence OPERATOR(pg_catalog.<>) 't' AND NOT relisshared`;

/**
 * Each database, last: dead rows live on in heaps and indexes. `withShared` says whether the catalogues that all databases have in
 * common are among them. Of two databases at once only one may: each would wait for the other.
 */
export async function scrubDatabase(session: Session, scrub: Scrub, withShared: boolean): Promise<void> {
  if (scrub === 'full') {
    if (withShared) await session.run(STEP, 'VACUUM (FULL, FREEZE)');
    else await vacuumOwnTables(session);
    return;
  }
  await session.run(STEP, 'VACUUM (FREEZE, INDEX_CLEANUP true)');
  // Small, and whole of what must not be found.
  await session.run(
    STEP,
    'VACUUM (FULL, FREEZE) pg_catalog.pg_statistic, pg_catalog.pg_statistic_ext_data, pg_catalog.pg_description',
  );
  if (!withShared) return;
  await session.run(
    STEP,
    'VACUUM (FULL, FREEZE) pg_catalog.pg_authid, pg_catalog.pg_shdescription, pg_catalog.pg_db_role_setting',
  );
}

/** Whether a table has a name that is no UTF-8, as it may have in a database of encoding SQL_ASCII. */
export async function hasUnnameableTables(session: Session): Promise<boolean> {
  const tables = await session.run<{ name: string }>(STEP, OWN_TABLES);
  return tables.some(({ name }) => name.includes('\uFFFD'));
}

async function vacuumOwnTables(session: Session): Promise<void> {
  for (const { name } of await session.run<{ name: string }>(STEP, OWN_TABLES)) {
    await session.run(STEP, `VACUUM (FULL, FREEZE) ${name}`);
  }
}

/**
 * Each database, once it has been scrubbed. Statistics only make queries faster. They cannot be had where a type's functions are
 * missing or a partition is elsewhere.
 */
export async function analyseDatabase(session: Session): Promise<void> {
  await session.tryEach(
    STEP,
    `SELECT pg_catalog.format('ANALYZE %I.%I', nspname, relname) FROM pg_catalog.pg_class
      JOIN pg_catalog.pg_namespace ON pg_namespace.oid OPERATOR(pg_catalog.=) relnamespace
      WHERE (relkind OPERATOR(pg_catalog.=) 'r' OR relkind OPERATOR(pg_catalog.=) 'p'
        OR (relkind OPERATOR(pg_catalog.=) 'm' AND relispopulated))
      AND relpersistence OPERATOR(pg_catalog.<>) 't'`,
  );
}

/** The files that belong to a database, without the numbers of their segments and forks. */
export async function listFiles(session: Session): Promise<string[]> {
  const rows = await session.run<{ path: string }>(
    'the list of the files',
    'SELECT pg_relation_filepath(oid) AS path FROM pg_class WHERE pg_relation_filepath(oid) IS NOT NULL',
  );
  return rows.map(({ path }) => path);
}

/**
 * Once, after all databases have been scrubbed. Removed values also live on in the write-ahead log; with wal_recycle off a checkpoint
 * deletes the segments that a switch has ended (PostgreSQL manual, 20.5.1).
 */
export async function endScrub(session: Session): Promise<void> {
  await session.run(
    STEP,
    `UPDATE pg_database SET datallowconn = false, datistemplate = true WHERE datname = 'template0'`,
  );
  for (let count = 0; count < 3; count++) {
    await session.run(STEP, 'SELECT pg_switch_wal()');
    await session.run(STEP, 'CHECKPOINT');
  }
}
