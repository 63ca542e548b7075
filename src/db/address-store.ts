import type { Pool } from 'pg';
import type { AddressStore, AllowedAddress } from '../core/addresses.ts';

/** Table `whitelisted_addresses`. */
export class PgAddressStore implements AddressStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async remember(instanceId: number, address: string): Promise<boolean> {
    // xmax is 0 in a row that was inserted, not updated.
    const { rows } = await this.#pool.query<{ added: boolean }>(
      `INSERT INTO whitelisted_addresses (ip_address, instance_id, created_at, updated_at)
       SELECT $2, id, now(), now() FROM instances WHERE id = $1
       ON CONFLICT (ip_address, instance_id) DO UPDATE SET updated_at = now() RETURNING xmax = 0 AS added`,
      [instanceId, address],
    );
    return rows[0]?.added ?? false;
  }

  async listAllowed(): Promise<AllowedAddress[]> {
    const { rows } = await this.#pool.query<{ address: string; port: number; user_email: string }>(
      `SELECT DISTINCT host(a.ip_address) AS address, i.port, COALESCE(i.user_email, '') AS user_email
       FROM whitelisted_addresses a JOIN instances i ON i.id = a.instance_id
       WHERE i.status <> 'destroying' AND i.port IS NOT NULL AND NOT i.port_taken ORDER BY i.port, address`,
    );
    return rows.map((row) => ({ address: row.address, port: row.port, userEmail: row.user_email }));
  }

  async forgetUnseen(ms: number): Promise<void> {
    await this.#pool.query(
      `DELETE FROM whitelisted_addresses WHERE updated_at < now() - $1 * interval '1 millisecond'`,
      [ms],
    );
  }
}
