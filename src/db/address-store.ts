import type { Pool } from 'pg';
import type { AddressStore } from '../core/addresses.ts';

/** Table `whitelisted_addresses`. */
export class PgAddressStore implements AddressStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async remember(instanceId: number, address: string): Promise<void> {
    await this.#pool.query(
      `INSERT INTO whitelisted_addresses (ip_address, instance_id, created_at, updated_at)
       SELECT $2, id, now(), now() FROM instances WHERE id = $1
       ON CONFLICT (ip_address, instance_id) DO UPDATE SET updated_at = now()`,
      [instanceId, address],
    );
  }
}
