import type { Pool } from 'pg';
import type { ImageStatus } from '../core/image.ts';
import type { InstanceStatus } from '../core/instance.ts';
import { WARM } from './instance-store.ts';

// Each is there also when there is none in that state: 0 is a value, too.
const IMAGE_STATES: Record<ImageStatus, 0> = {
  creating: 0,
  pending: 0,
  finalising: 0,
  ready: 0,
  failed: 0,
  destroying: 0,
};
const INSTANCE_STATES: Record<InstanceStatus | 'warm', 0> = {
  creating: 0,
  ready: 0,
  stopped: 0,
  failed: 0,
  destroying: 0,
  warm: 0,
};

/** How many records there are, by state. */
export class PgRecordCounts {
  readonly #pool: Pick<Pool, 'query'>;

  constructor(pool: Pick<Pool, 'query'>) {
    this.#pool = pool;
  }

  countImages(): Promise<Map<string, number>> {
    return this.#count(IMAGE_STATES, 'SELECT status AS state, count(*)::int FROM images GROUP BY 1');
  }

  /** Those that run and wait for an owner have a state of their own here, `warm`. */
  countInstances(): Promise<Map<string, number>> {
    return this.#count(
      INSTANCE_STATES,
      `SELECT CASE WHEN status = 'ready' AND ${WARM} THEN 'warm' ELSE status END AS state, count(*)::int FROM instances GROUP BY 1`,
    );
  }

  async #count(states: Record<string, 0>, sql: string): Promise<Map<string, number>> {
    const { rows } = await this.#pool.query<{ state: string; count: number }>(sql);
    return new Map([...Object.entries(states), ...rows.map(({ state, count }) => [state, count] as const)]);
  }
}
