import pg from 'pg';

/** Key of the advisory lock (PostgreSQL manual, 13.3.5): any number that nobody else uses, here «drap» in ASCII. */
const KEY = 0x64726170;

/** A server that was killed a moment ago still holds the lock until Postgres notices, in milliseconds. */
const PATIENCE_MS = 5000;

/** SQLSTATE lock_not_available (PostgreSQL manual, appendix A). */
const LOCK_NOT_AVAILABLE = '55P03';

/** The right to be the one server of a database, for as long as its connection lives. */
export class ServerLock implements AsyncDisposable {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  /**
   * Takes the lock, or throws when another server has it: two would finish, and undo, each other's work. `onLost` is told
   * when the connection breaks.
   */
  static async acquire(
    config: pg.ClientConfig,
    onLost: (error: Error) => void,
    patienceMs = PATIENCE_MS,
  ): Promise<ServerLock> {
    const client = new pg.Client({ ...config, keepAlive: true });
    client.on('error', onLost);
    try {
      await client.connect();
      await client.query(`SET lock_timeout = ${patienceMs}`);
      await client.query('SELECT pg_advisory_lock($1)', [KEY]);
      return new ServerLock(client);
    } catch (error) {
      await client.end();
      if (!(error instanceof pg.DatabaseError) || error.code !== LOCK_NOT_AVAILABLE) throw error;
      const hint = 'stop it, or give this one a database of its own';
      throw new Error(`another server uses this database: ${hint}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}
