import type { Session } from '../postgres/session.ts';

const STEP = 'the scrub';

/**
 * Each database, before any is scrubbed: removes what Postgres itself keeps of values and of people's words. A row that is deleted
 * while another session starts or works is kept by the VACUUM that follows as long as that one might see it. So all of it is deleted
 * before, and later sessions see none of it (PostgreSQL manual, 25.1.2).
 */
export async function forgetValues(session: Session): Promise<void> {
  await session.run(
    STEP,
    // What people wrote about their objects, and labels for programs that are not loaded here: nothing depends on either.
    `DELETE FROM pg_description WHERE objoid >= 16384 OR objoid IN (SELECT oid FROM pg_namespace WHERE nspname = 'public');
    DELETE FROM pg_seclabel;
    DELETE FROM pg_shdescription;
    DELETE FROM pg_shseclabel;
    DELETE FROM pg_statistic`,
  );
  await session.run(STEP, formatForgetExtended(session.major));
}

/** Before version 15 each statistics object has one row of data for good. */
function formatForgetExtended(major: number): string {
  if (major >= 15) return 'DELETE FROM pg_statistic_ext_data';
  const columns = ['stxdndistinct', 'stxddependencies', 'stxdmcv', ...(major >= 14 ? ['stxdexpr'] : [])];
  return `UPDATE pg_statistic_ext_data SET ${columns.map((column) => `${column} = NULL`).join(', ')}`;
}
