import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** Key of the advisory lock (PostgreSQL manual, 13.3.5): any number that nobody else uses, here «drap» in ASCII. */
export const SERVER_LOCK_KEY = 0x64726170;

/** A server that was killed a moment ago still holds the lock until Postgres notices, in milliseconds. */
const PATIENCE_MS = 5000;
/** Pause between two attempts to get the lock back, in milliseconds. */
const RETRY_MS = 500;

/** SQLSTATE lock_not_available (PostgreSQL manual, appendix A). */
const LOCK_NOT_AVAILABLE = '55P03';

/** What the holder of the lock is told. */
export interface LockEvents {
  /** The connection broke: the lock is being taken again. */
  onLost(error: Error): void;
  /** It is held again. */
  onRegained(): void;
  /** Another server has it now: this one must stop. */
  onTaken(error: Error): void;
}

/** Another server has the lock. */
class TakenError extends Error {
  override readonly name = 'TakenError';
}

/** The right to be the one server of a database. When its connection breaks, it is taken again as soon as that is possible. */
export class ServerLock implements AsyncDisposable {
  readonly #config: pg.ClientConfig;
  readonly #events: LockEvents;
  readonly #patienceMs: number;
  readonly #stop = new AbortController();
  #client: pg.Client | undefined;

  private constructor(config: pg.ClientConfig, events: LockEvents, patienceMs: number) {
    this.#config = config;
    this.#events = events;
    this.#patienceMs = patienceMs;
  }

  /** Takes the lock, or throws when another server has it: two would finish, and undo, each other's work. */
  static async acquire(
    config: pg.ClientConfig,
    events: LockEvents,
    patienceMs = PATIENCE_MS,
  ): Promise<ServerLock> {
    const lock = new ServerLock(config, events, patienceMs);
    await lock.#take();
    return lock;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#client?.end();
  }

  async #take(): Promise<void> {
    const client = new pg.Client({ ...this.#config, keepAlive: true });
    let held = false;
    client.on('error', (error) => {
      if (!held || this.#stop.signal.aborted) return;
      held = false;
      this.#client = undefined;
      this.#events.onLost(error);
      void this.#retake();
    });
    try {
      await client.connect();
      await client.query(`SET lock_timeout = ${this.#patienceMs}`);
      await client.query('SELECT pg_advisory_lock($1)', [SERVER_LOCK_KEY]);
      if (this.#stop.signal.aborted) {
        await client.end();
        return;
      }
      held = true;
      this.#client = client;
    } catch (error) {
      await client.end();
      if (!(error instanceof pg.DatabaseError) || error.code !== LOCK_NOT_AVAILABLE) throw error;
      const hint = 'stop it, or give this one a database of its own';
      throw new TakenError(`another server uses this database: ${hint}`, { cause: error });
    }
  }

  async #retake(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#take();
        this.#events.onRegained();
        return;
      } catch (error) {
        if (error instanceof TakenError) {
          this.#events.onTaken(error);
          return;
        }
        await delay(RETRY_MS);
      }
    }
  }
}
