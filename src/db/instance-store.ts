import type { Pool } from 'pg';
import { DomainError } from '../core/errors.ts';
import { NOBODY, OWNED } from '../core/instance.ts';
import type { Instance, InstanceStatus, InstanceStore, Owner, PortRange } from '../core/instance.ts';
import { isUniqueViolation } from './sql-error.ts';

interface InstanceRow {
  id: number;
  image_id: number;
  port: number;
  user_email: string;
  created_at: Date;
  updated_at: Date;
  status: InstanceStatus;
  failure: string | null;
  port_taken: boolean;
}

// Draupnir 5.3 allowed rows without port or owner.
const COLUMNS = `id, image_id, COALESCE(port, 0) AS port, COALESCE(user_email, '') AS user_email,
  created_at, updated_at, status, failure, port_taken`;

/** Instances of Draupnir 5.3 may lack an owner too, but they never have credentials. */
export const WARM = `user_email = '${NOBODY}' AND credentials IS NOT NULL`;

/** Table `instances`. */
export class PgInstanceStore implements InstanceStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async insert(
    instance: Owner & { imageId: number },
    range: PortRange,
    avoid: ReadonlySet<number>,
  ): Promise<Instance> {
    // Two creations at once may pick the same port: the unique constraint decides, the loser picks again. A port that was
    // taken is never free again within this loop, so it ends after at most as many rounds as there are ports.
    for (let round = range.min; round <= range.max; round++) {
      const row = await this.#tryInsert(instance, range, avoid);
      if (row !== 'port taken') return row;
    }
    throw noFreePort(range);
  }

  async #tryInsert(
    instance: Owner & { imageId: number },
    range: PortRange,
    avoid: ReadonlySet<number>,
  ): Promise<Instance | 'port taken'> {
    try {
      // The lock on the image keeps it from being destroyed between the check and the insert.
      const { rows } = await this.#pool.query<InstanceRow | { id: null; image: boolean }>(
        `WITH image AS (SELECT id FROM images WHERE id = $1 AND status = 'ready' FOR SHARE),
         free AS (
           SELECT port FROM generate_series($3::int, $4::int - 1) AS port
           WHERE port <> ALL ($5::int[]) AND NOT EXISTS (SELECT FROM instances i WHERE i.port = port.port)
           ORDER BY random() LIMIT 1),
         made AS (
           INSERT INTO instances (image_id, user_email, port, status, created_at, updated_at, session_id)
           SELECT image.id, $2, free.port, 'creating', now(), now(), (SELECT id FROM sessions WHERE id = $6)
           FROM image, free RETURNING ${COLUMNS})
         SELECT made.*, EXISTS (SELECT FROM image) AS image FROM (SELECT) one LEFT JOIN made ON true`,
        [instance.imageId, instance.userEmail, range.min, range.max, [...avoid], instance.sessionId ?? null],
      );
      const row = rows[0];
      if (row && row.id !== null) return toInstance([row]);
      if (row?.image) throw noFreePort(range);
      throw new DomainError('image_not_ready', 'the image is not ready');
    } catch (error) {
      if (isUniqueViolation(error, 'instances_port_key')) return 'port taken';
      throw error;
    }
  }

  async find(id: number): Promise<Instance | undefined> {
    const instances = await this.#select('WHERE id = $1', [id]);
    return instances[0];
  }

  listByOwner(userEmail: string): Promise<Instance[]> {
    return this.#select(`WHERE user_email = $1 AND status = ANY ($2) ORDER BY id`, [userEmail, OWNED]);
  }

  listByImage(imageId: number): Promise<Instance[]> {
    return this.#select('WHERE image_id = $1 ORDER BY id', [imageId]);
  }

  list(): Promise<Instance[]> {
    return this.#select('ORDER BY id', []);
  }

  listWarm(): Promise<Instance[]> {
    return this.#select(`WHERE ${WARM} AND status <> 'creating' ORDER BY created_at, id`, []);
  }

  async claimWarm(imageId: number, ids: readonly number[], owner: Owner): Promise<Instance | undefined> {
    // The lock on the image is as in the insert. Who comes second passes over a row that another has locked, or has taken.
    const { rows } = await this.#pool.query<InstanceRow>(
      `WITH image AS (SELECT id FROM images WHERE id = $1 AND status = 'ready' FOR SHARE),
       warm AS (
         SELECT i.id FROM instances i JOIN image ON image.id = i.image_id
         WHERE i.id = ANY ($2) AND i.status = 'ready' AND ${WARM}
         ORDER BY i.created_at, i.id LIMIT 1 FOR UPDATE OF i SKIP LOCKED)
       UPDATE instances SET status = 'creating', user_email = $3, session_id = (SELECT id FROM sessions WHERE id = $4),
         created_at = now(), updated_at = now()
       WHERE id = (SELECT id FROM warm) RETURNING ${COLUMNS}`,
      [imageId, ids, owner.userEmail, owner.sessionId ?? null],
    );
    return rows[0] && toInstance(rows);
  }

  async retireWarm(id: number): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `UPDATE instances SET status = 'destroying', failure = NULL, updated_at = now()
       WHERE id = $1 AND ${WARM} AND status = ANY ($2)`,
      [id, OWNED],
    );
    return rowCount === 1;
  }

  async open(id: number, credentials?: Buffer): Promise<Instance> {
    const { rows } = await this.#pool.query<InstanceRow>(
      `UPDATE instances SET status = 'ready', credentials = COALESCE($2, credentials), updated_at = now()
       WHERE id = $1 AND status = 'creating' RETURNING ${COLUMNS}`,
      [id, credentials ?? null],
    );
    if (!rows[0]) throw new DomainError('image_not_ready', 'the image was destroyed meanwhile');
    return toInstance(rows);
  }

  async findCredentials(id: number): Promise<Buffer | undefined> {
    const { rows } = await this.#pool.query<{ credentials: Buffer | null }>(
      'SELECT credentials FROM instances WHERE id = $1',
      [id],
    );
    return rows[0]?.credentials ?? undefined;
  }

  async transition(
    id: number,
    from: readonly InstanceStatus[],
    to: InstanceStatus,
    failure?: string,
  ): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `UPDATE instances SET status = $3, failure = $4, updated_at = now() WHERE id = $1 AND status = ANY ($2)`,
      [id, from, to, failure ?? null],
    );
    return rowCount === 1;
  }

  async listSharedPorts(): Promise<Instance[][]> {
    const instances = await this.#select(
      `WHERE port IN (
         SELECT port FROM instances GROUP BY port
         HAVING bool_and(port_taken) OR bool_or(port_taken AND status <> ALL ($1)))
       ORDER BY port, id`,
      [['failed', 'destroying'] satisfies InstanceStatus[]],
    );
    return [...Map.groupBy(instances, ({ port }) => port).values()];
  }

  async assignPort(port: number, holder: number, failure: string): Promise<void> {
    // The others first: of those that have the port, one at most may hold it.
    await this.#pool.query(
      `UPDATE instances SET port_taken = true, updated_at = now(),
         failure = CASE WHEN status = ANY ($4) THEN $3 ELSE failure END,
         status = CASE WHEN status = ANY ($4) THEN 'failed' ELSE status END
       WHERE port = $1 AND id <> $2`,
      [port, holder, failure, OWNED],
    );
    await this.#pool.query('UPDATE instances SET port_taken = false WHERE id = $1 AND port = $2', [
      holder,
      port,
    ]);
  }

  async delete(id: number): Promise<void> {
    await this.#pool.query('DELETE FROM instances WHERE id = $1', [id]);
  }

  async #select(where: string, values: unknown[]): Promise<Instance[]> {
    const { rows } = await this.#pool.query<InstanceRow>(`SELECT ${COLUMNS} FROM instances ${where}`, values);
    return rows.map((row) => toInstance([row]));
  }
}

function noFreePort(range: PortRange): DomainError {
  return new DomainError('no_free_port', `all ports from ${range.min} to ${range.max - 1} are taken`);
}

function toInstance([row]: InstanceRow[]): Instance {
  if (!row) throw new Error('no instance row');
  return {
    id: row.id,
    imageId: row.image_id,
    port: row.port,
    userEmail: row.user_email,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    status: row.status,
    failure: row.failure ?? undefined,
    ...(row.port_taken && { portTaken: true }),
  };
}
