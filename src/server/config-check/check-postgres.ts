import type { Outcome } from './outcome.ts';

/** Majors that backups may come from (README, "What to upload"). */
const FIRST_MAJOR = 13;
const LAST_MAJOR = 18;

/** The programs that the scripts use. */
export interface PostgresFacts {
  /** `POSTGRES_ROOT` of host.conf. */
  readonly root: string;
  /** Those with `bin/postgres`, ascending. */
  readonly majors: readonly number[];
  /** Those with `bin/pg_verifybackup` too. */
  readonly verifying: readonly number[];
  /** Whether psql is where the scripts look for programs. */
  readonly hasPsql: boolean;
}

/** Which backups can be prepared. */
export function* checkPostgres(
  { root, majors, verifying, hasPsql }: PostgresFacts,
  hostConf: string,
): Generator<Outcome> {
  const where = { file: hostConf, path: 'POSTGRES_ROOT' };
  const supported = majors.filter((major) => major >= FIRST_MAJOR && major <= LAST_MAJOR);
  if (supported.length === 0) {
    const message = `has no Postgres from ${FIRST_MAJOR} to ${LAST_MAJOR}: run apt-get install postgresql`;
    yield { level: 'problem', ...where, message, found: root };
  } else {
    yield { level: 'ok', ...where, message: `has Postgres ${supported.join(', ')}` };
  }
  const lacking = supported.filter((major) => !verifying.includes(major));
  if (lacking.length > 0) {
    const message = `Postgres ${lacking.join(', ')} has no pg_verifybackup: backups with a backup_manifest are refused`;
    const advice = `install the package postgresql-N of each`;
    yield { level: 'warning', ...where, message: `${message}; ${advice}` };
  }
  if (!hasPsql) {
    const message = 'psql is missing, which runs the anonymisation: run apt-get install postgresql-client';
    yield { level: 'problem', ...where, message };
  }
}
