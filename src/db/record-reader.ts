import pg from 'pg';
import type { ImageRecord, InstanceRecord, Records, RecordSource } from '../doctor/records.ts';
import { SERVER_LOCK_KEY } from './server-lock.ts';

interface ImageRow {
  id: number;
  status: string;
  age_ms: number;
}

interface InstanceRow extends ImageRow {
  image_id: number;
  port: number;
  user_email: string;
  credentials: Buffer | null;
  port_taken: boolean;
}

const AGE = 'GREATEST(0, extract(epoch FROM clock_timestamp() - updated_at) * 1000)::float8 AS age_ms';

/** Reads all records of one moment over a connection of its own, and changes nothing. */
export class PgRecordReader implements RecordSource, AsyncDisposable {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async connect(config: pg.ClientConfig): Promise<PgRecordReader> {
    const client = new pg.Client(config);
    // A connection that breaks is told by the query under way.
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch (error) {
      await client.end();
      throw error;
    }
    return new PgRecordReader(client);
  }

  async read(): Promise<Records> {
    const client = this.#client;
    await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const images = await client.query<ImageRow>(`SELECT id, status, ${AGE} FROM images ORDER BY id`);
    const instances = await client.query<InstanceRow>(
      // Draupnir 5.3 allowed rows without port or owner.
      `SELECT id, image_id, COALESCE(port, 0) AS port, COALESCE(user_email, '') AS user_email, status,
         credentials, port_taken, ${AGE}
       FROM instances ORDER BY id`,
    );
    const addresses = await client.query<{ instance_id: number; address: string }>(
      'SELECT instance_id, host(ip_address) AS address FROM whitelisted_addresses ORDER BY instance_id, ip_address',
    );
    // An advisory lock of one bigint shows its halves (PostgreSQL manual, 54.12).
    const lock = await client.query<{ held: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = $1
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS held`,
      [SERVER_LOCK_KEY],
    );
    await client.query('COMMIT');
    return {
      images: images.rows.map(toImage),
      instances: instances.rows.map(toInstance),
      addresses: addresses.rows.map((row) => ({ instanceId: row.instance_id, address: row.address })),
      serverRuns: lock.rows[0]?.held === true,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}

function toImage(row: ImageRow): ImageRecord {
  return { id: row.id, status: row.status, ageMs: row.age_ms };
}

function toInstance(row: InstanceRow): InstanceRecord {
  return {
    id: row.id,
    imageId: row.image_id,
    port: row.port,
    userEmail: row.user_email,
    status: row.status,
    ageMs: row.age_ms,
    credentials: row.credentials,
    ...(row.port_taken && { portTaken: true }),
  };
}
