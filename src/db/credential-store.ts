import type { Pool } from 'pg';
import type { CertifiedInstance, CredentialStore } from '../core/instance-certificates.ts';

interface BoxRow extends CertifiedInstance {
  credentials: Buffer;
}

/** Column `credentials` of table `instances`. */
export class PgCredentialStore implements CredentialStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async list(): Promise<{ instance: CertifiedInstance; box: Buffer }[]> {
    const { rows } = await this.#pool.query<BoxRow>(
      `SELECT id, port, credentials FROM instances
       WHERE credentials IS NOT NULL AND status NOT IN ('creating', 'destroying') ORDER BY id`,
    );
    return rows.map(({ id, port, credentials }) => ({ instance: { id, port }, box: credentials }));
  }

  async replace(instanceId: number, current: Buffer, next: Buffer): Promise<boolean> {
    // Every box has a nonce of its own: bytes that are the same are the same write.
    const { rowCount } = await this.#pool.query(
      `UPDATE instances SET credentials = $3
       WHERE id = $1 AND credentials = $2 AND status NOT IN ('creating', 'destroying')`,
      [instanceId, current, next],
    );
    return rowCount === 1;
  }
}
