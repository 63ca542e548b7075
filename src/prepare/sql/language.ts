import { PreparationFailure } from '../failure.ts';
import { getState, type Session } from '../postgres/session.ts';

const STEP = 'the check of the language of our statements';

/** Raised by the proof: Postgres does not use it (PostgreSQL manual, appendix A). */
const PROOF_STATE = 'DRPNR';

/**
 * Makes sure that a database has PL/pgSQL and that it does what it is told: most of our statements are made and run on the server in
 * this language. A database may lack it, and a language of this name that does nothing would let every step succeed.
 */
export async function ensureLanguage(session: Session): Promise<void> {
  const found = await session.run(STEP, `SELECT FROM pg_language WHERE lanname = 'plpgsql'`);
  if (found.length === 0) await session.run(STEP, 'CREATE EXTENSION plpgsql');
  const proof = await session
    .query(`DO $draupnir$ BEGIN RAISE EXCEPTION SQLSTATE '${PROOF_STATE}'; END $draupnir$`)
    .then(
      () => undefined,
      (error: unknown) => getState(error),
    );
  if (proof !== PROOF_STATE) {
    throw new PreparationFailure(
      `language plpgsql of database ${session.database} is not that of Postgres: create extension plpgsql anew`,
    );
  }
}
