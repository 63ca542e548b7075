import type { DatabaseFacts } from '../../db/inspect-database.ts';
import type { Outcome } from './outcome.ts';

/** Older majors get no corrections any more, and are not tested. */
const MIN_MAJOR = 13;
/** `server_version_num` counts so from major 10 on (PostgreSQL manual, 20.15). */
const MAJOR = 10_000;

const path = 'database_url';

/** SQLSTATEs (PostgreSQL manual, appendix A) and system errors (errno(3)) that have one remedy. */
const ADVICE: readonly (readonly [code: RegExp, advice: string])[] = [
  [/^28/, 'check user and password, and pg_hba.conf of the database'],
  [/^3D000$/, 'create the database, such as by createdb -O draupnir draupnir'],
  [/^(ECONNREFUSED|ENOENT)$/, 'start Postgres, and check host and port'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'check the name of the host'],
  [/CERT|SIGNATURE|TLS|SSL/, 'check sslmode and sslrootcert'],
];

/** What follows from a database that was reached. */
export function* checkDatabase(
  facts: DatabaseFacts,
  { pending, migrateOnStart }: { pending: readonly string[]; migrateOnStart: boolean },
): Generator<Outcome> {
  const { version, versionNumber, user, schema, canCreate, database } = facts;
  if (versionNumber < MIN_MAJOR * MAJOR) {
    const message = `must be a Postgres from ${MIN_MAJOR} on: upgrade it`;
    yield { level: 'problem', path, message, found: version };
    return;
  }
  if (pending.length > 0 && !canCreate) {
    const where =
      schema === null ? 'has no schema of its search_path' : `cannot create tables in schema ${schema}`;
    const remedy = schema === null ? 'create one' : 'make it the owner of the database';
    const message = `user ${user} ${where} of database ${database}, and migrations are pending: ${remedy}`;
    yield { level: 'problem', path, message };
  } else if (pending.length > 0 && !migrateOnStart) {
    const message = `lacks migrations (${pending.join(', ')}): run draupnir migrate`;
    yield { level: 'warning', path, message };
  } else {
    const state = pending.length === 0 ? 'up to date' : 'migrated at the start of the server';
    yield { level: 'ok', path, message: `Postgres ${version}, ${state}` };
  }
}

/** Why a database cannot be used: `reason` is the message of the driver or of Postgres. */
export function describeDatabaseFailure(reason: string, code: string | undefined): Outcome {
  const advice =
    ADVICE.find(([pattern]) => pattern.test(code ?? ''))?.[1] ?? 'check that it runs and answers';
  return { level: 'problem', path, message: `the database cannot be used: ${reason}; ${advice}` };
}
