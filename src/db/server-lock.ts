import pg from 'pg';

/** Key of the advisory lock (PostgreSQL manual, 13.3.5): any number that nobody else uses, here «draupnir» shortened. */
const KEY = 0x64726170;

/** The right to be the one server of a database, for as long as its connection lives. */
export class ServerLock {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  /**
   * Takes the lock, or throws when another server has it: two would finish, and undo, each other's work. `onLost` is told
   * when the connection breaks.
   */
  static async acquire(config: pg.ClientConfig, onLost: (error: Error) => void): Promise<ServerLock> {
    const client = new pg.Client({ ...config, keepAlive: true });
    client.on('error', onLost);
    await client.connect();
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
      KEY,
    ]);
    if (rows[0]?.locked) return new ServerLock(client);
    await client.end();
    throw new Error('another server uses this database: stop it, or give this one a database of its own');
  }

  async release(): Promise<void> {
    await this.#client.end();
  }
}
