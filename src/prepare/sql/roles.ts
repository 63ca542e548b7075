import type { Session } from '../postgres/session.ts';

const STEP = 'preparing the roles';
const END_STEP = 'handing over the ownership';

/** Roles and databases of the whole cluster, before the anonymisation. Run once. */
export async function prepareRoles(session: Session): Promise<void> {
  await dropInvalidDatabases(session);
  await ensureDatabasePostgres(session);
  await session.run(
    STEP,
    // Role draupnir belongs to the owner of an instance; a role of the source that has its name is renamed.
    // It is superuser until the end of the preparation: some kinds of objects can belong to a superuser only.
    `UPDATE pg_authid SET rolname = 'draupnir-' || oid WHERE rolname = 'draupnir';
    CREATE ROLE draupnir LOGIN SUPERUSER CREATEDB;
    UPDATE pg_authid SET rolpassword = NULL, rolvaliduntil = NULL WHERE rolpassword IS NOT NULL;
    -- Settings kept in the catalogue that load code into every session.
    UPDATE pg_db_role_setting SET setconfig = ARRAY(
        SELECT setting FROM unnest(setconfig) AS setting WHERE split_part(setting, '=', 1) !~ 'preload_libraries$');
    DELETE FROM pg_db_role_setting WHERE setconfig = '{}'`,
  );
}

/** The source was removing these when it was backed up: they take no connections, but their files are there. */
async function dropInvalidDatabases(session: Session): Promise<void> {
  const rows = await session.run<{ name: string }>(
    STEP,
    // A client could not name all encodings.
    `UPDATE pg_database SET datistemplate = false, datname = 'draupnir-dropped-' || oid
      WHERE datconnlimit = -2 RETURNING datname AS name`,
  );
  for (const { name } of rows) await session.run(STEP, `DROP DATABASE "${name}"`);
}

async function ensureDatabasePostgres(session: Session): Promise<void> {
  const rows = await session.run<{ template: string }>(
    STEP,
    `SELECT min(datname) AS template FROM pg_database
      WHERE datname IN ('template0', 'template1') AND NOT EXISTS (SELECT FROM pg_database WHERE datname = 'postgres')
      HAVING count(*) > 0`,
  );
  for (const { template } of rows) {
    await session.run(STEP, `CREATE DATABASE postgres TEMPLATE "${template}"`);
  }
}

/**
 * The end of the preparation: the owner of an instance is no superuser and cannot become one, and no role of the source is one or
 * can log in.
 */
export async function restrictRoles(session: Session): Promise<void> {
  await session.run(
    END_STEP,
    `ALTER ROLE draupnir NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS LOGIN INHERIT CREATEDB CONNECTION LIMIT -1;
    -- Not by ALTER ROLE, which refuses names that begin with pg_.
    UPDATE pg_authid SET rolsuper = false, rolreplication = false, rolcanlogin = false
      WHERE oid <> 10 AND rolname NOT IN ('draupnir', 'draupnir-admin') AND (rolsuper OR rolreplication OR rolcanlogin);
    UPDATE pg_authid SET rolpassword = NULL, rolvaliduntil = NULL WHERE rolpassword IS NOT NULL`,
  );
  await revokeMemberships(session);
  // Who may set what, ALTER SYSTEM included.
  if (session.major >= 15) {
    await session.run(
      END_STEP,
      `DELETE FROM pg_shdepend WHERE classid = 'pg_parameter_acl'::regclass; DELETE FROM pg_parameter_acl`,
    );
  }
}

/** Role draupnir owns everything and needs no privileges of other roles, some of which may run programs and write files. */
async function revokeMemberships(session: Session): Promise<void> {
  const query =
    session.major >= 16
      ? `SELECT format('REVOKE %I FROM draupnir GRANTED BY %I CASCADE', granted.rolname, grantor.rolname)
          FROM pg_auth_members JOIN pg_authid granted ON granted.oid = roleid JOIN pg_authid grantor ON grantor.oid = grantor
          WHERE member = 'draupnir'::regrole`
      : `SELECT format('REVOKE %I FROM draupnir', rolname) FROM pg_auth_members JOIN pg_authid ON pg_authid.oid = roleid
          WHERE member = 'draupnir'::regrole`;
  await session.runEach(END_STEP, query);
  // Fails by a division by zero when a membership is left.
  await session.run(
    END_STEP,
    `SELECT 1 / (count(*) = 0)::int FROM pg_auth_members WHERE member = 'draupnir'::regrole`,
  );
}
