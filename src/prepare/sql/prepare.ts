import type { Session } from '../postgres/session.ts';
import { ensureLanguage } from './language.ts';

const STEP = 'preparing the database';

const SUBSCRIPTIONS = `FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** Each database, first of all: takes away what would act on its own, wait for ever, or reach for other servers and programs. */
export async function prepareDatabase(session: Session): Promise<void> {
  await session.run(STEP, `UPDATE pg_event_trigger SET evtenabled = 'D' WHERE evtenabled <> 'D'`);
  await ensureLanguage(session);
  await rollBackPrepared(session);
  for (const action of ['DISABLE', 'SET (slot_name = NONE)']) {
    await session.runEach(STEP, `SELECT format('ALTER SUBSCRIPTION %I ${action}', subname) ${SUBSCRIPTIONS}`);
  }
  await session.runEach(STEP, `SELECT format('DROP SUBSCRIPTION %I', subname) ${SUBSCRIPTIONS}`);
  await session.run(STEP, 'SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin');
  await removeSecrets(session);
  // Of temporary tables of the source's sessions there are no files any more.
  await session.runEach(
    STEP,
    `SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace
      WHERE nspname ~ '^pg_temp_[0-9]+$' AND oid <> pg_my_temp_schema()`,
  );
}

/** Transactions that were prepared and never ended hold locks for ever. They cannot be ended inside another one. */
async function rollBackPrepared(session: Session): Promise<void> {
  const rows = await session.run<{ statement: string }>(
    STEP,
    `SELECT format('ROLLBACK PREPARED %L', gid) AS statement FROM pg_prepared_xacts
      WHERE database = current_database()`,
  );
  for (const { statement } of rows) await session.run(STEP, statement);
}

/**
 * Passwords for other servers: those of user mappings, and those that sloppy wrappers let stand elsewhere. And programs and files
 * that file_fdw would run and read for every role that may select from the table.
 */
async function removeSecrets(session: Session): Promise<void> {
  await session.runEach(
    STEP,
    `SELECT format('DROP USER MAPPING FOR %s SERVER %I',
        CASE WHEN umuser = 0 THEN 'PUBLIC' ELSE format('%I', usename) END, srvname)
      FROM pg_user_mappings`,
  );
  await session.run(
    STEP,
    `UPDATE pg_foreign_server SET srvoptions = ARRAY(
        SELECT option FROM unnest(srvoptions) AS option WHERE split_part(option, '=', 1) !~* 'pass|secret|token')
      WHERE srvoptions IS NOT NULL;
    UPDATE pg_foreign_table SET ftoptions = ARRAY(
        SELECT option FROM unnest(ftoptions) AS option
        WHERE split_part(option, '=', 1) !~* '^(program|filename)$|pass|secret|token')
      WHERE ftoptions IS NOT NULL`,
  );
}
