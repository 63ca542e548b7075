import { randomBytes } from 'node:crypto';
import type { VerificationQuery } from '../../core/verification-script.ts';
import { NoSpace, PreparationFailure } from '../failure.ts';
import { DISK_FULL, getState, Session } from '../postgres/session.ts';
import { formatState } from '../sql-state.ts';
import type { Cluster } from '../workplace.ts';

/** Raised for a row: five capital letters or digits that Postgres does not use (PostgreSQL manual, appendix A). */
const ROW_STATE = 'DRPNR';

/** Asks the queries one by one: none may return a row. A row fails the image with the query's number, never with the row. */
export async function verify(cluster: Cluster, queries: readonly VerificationQuery[]): Promise<void> {
  for (const [index, query] of queries.entries()) {
    await verifyQuery(
      cluster,
      query,
      `query ${index + 1} of the verification script, on line ${query.line},`,
    );
  }
}

async function verifyQuery(cluster: Cluster, query: VerificationQuery, name: string): Promise<void> {
  const { database, text } = query;
  let session: Session | undefined;
  try {
    session = await Session.connect(cluster, { database, isOwn: false });
    await session.query('BEGIN READ ONLY');
    await session.query(formatCheck(text));
  } catch (error) {
    const state = getState(error);
    if (state === DISK_FULL) throw new NoSpace(`${name} met a full disk`, { cause: error });
    if (state === ROW_STATE) throw new PreparationFailure(`${name} returned rows and must return none`);
    throw new PreparationFailure(`${name} failed in database ${database}${formatState(state)}`);
  } finally {
    await session?.end();
  }
}

/**
 * A cursor takes one query and nothing else: no second statement, nothing that ends the transaction; a transaction that is read-only
 * cannot be made otherwise. The query cannot know the quotes around it.
 */
function formatCheck(text: string): string {
  const nonce = randomBytes(16).toString('hex');
  return `DO $outer_${nonce}$
DECLARE
  found record;
BEGIN
  FOR found IN EXECUTE $inner_${nonce}$
${text}
$inner_${nonce}$ LOOP
    RAISE EXCEPTION SQLSTATE '${ROW_STATE}';
  END LOOP;
END
$outer_${nonce}$`;
}
