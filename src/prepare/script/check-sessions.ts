import { setTimeout as delay } from 'node:timers/promises';
import { PreparationFailure } from '../failure.ts';
import { Session } from '../postgres/session.ts';
import type { Cluster } from '../workplace.ts';

const POLL_MS = 50;
const STEP = 'the check of the sessions';

const OTHERS = `SELECT FROM pg_stat_activity
  WHERE datid IS NOT NULL AND backend_type <> 'autovacuum worker' AND pid <> pg_backend_pid() LIMIT 1`;

/**
 * Looks for what a script has left unfinished on the server. A session ends a moment after its client has; one that stays would go
 * on changing rows, and keep dead ones from the scrub (PostgreSQL manual, 25.1.2).
 */
export async function checkSessionsEnded(cluster: Cluster, patienceMs: number): Promise<void> {
  const session = await Session.connect(cluster, { database: 'postgres', isOwn: true }).catch(() => {
    throw new PreparationFailure(
      'the anonymisation script leaves database postgres so that nobody can connect to it',
    );
  });
  try {
    const deadline = performance.now() + patienceMs;
    while ((await session.run(STEP, OTHERS)).length > 0) {
      if (performance.now() >= deadline) {
        throw new PreparationFailure(
          'the anonymisation script leaves a session of another client open: let it wait for what it starts',
        );
      }
      await delay(POLL_MS);
    }
    if ((await session.run(STEP, 'SELECT FROM pg_prepared_xacts LIMIT 1')).length > 0) {
      throw new PreparationFailure(
        'the anonymisation script leaves a prepared transaction: end it with COMMIT PREPARED',
      );
    }
  } finally {
    await session.end();
  }
}
