import type pg from 'pg';
import { DomainError } from '../core/errors.ts';
import type { PartState, ReadinessPart } from '../core/readiness.ts';
import type { Volume } from '../core/volume.ts';
import { withDeadline } from '../exec/deadline.ts';

/** Longest time of one look, in milliseconds. */
const DEADLINE_MS = 5000;

/** The metadata database answers. */
export function createDatabasePart(pool: Pick<pg.Pool, 'query'>): ReadinessPart {
  return createPart('database', 'the internal database does not answer', () => pool.query('SELECT 1'));
}

/** The volume is mounted at `data_path` and can be written to. */
export function createDataPathPart(volume: Pick<Volume, 'requireMounted'>): ReadinessPart {
  return createPart('data_path', 'the data path does not answer', () => volume.requireMounted());
}

/** Only a reason that may be shown to callers is shown; for all others stands `detail`. */
function createPart(name: string, detail: string, use: () => Promise<unknown>): ReadinessPart {
  const look = async (): Promise<PartState> => {
    try {
      await withDeadline(use(), DEADLINE_MS, () => new Error(`${name} took too long`));
      return { status: 'ok' };
    } catch (error) {
      return { status: 'failing', detail: error instanceof DomainError ? error.message : detail };
    }
  };
  return { name, look };
}
