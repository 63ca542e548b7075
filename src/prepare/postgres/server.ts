import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Child, startChild } from '../child.ts';
import { PreparationFailure } from '../failure.ts';
import { readLines } from '../lines.ts';
import { isWantOfSpace } from '../space.ts';
import type { Cluster } from '../workplace.ts';
import { findRecoveryHint } from './recovery-hint.ts';
import { getConfigurationFile } from './configuration.ts';

const READY = 'database system is ready to accept connections';
const POLL_MS = 10;

/** Behind the prefix of a line, the reason why Postgres cannot go on. Messages of a start name files and settings, never rows. */
const FATAL = /\] (?:FATAL|PANIC): +(.*)$/;
const MAX_REASON_LENGTH = 300;

/** What Postgres has logged. */
interface Logged {
  readonly isReady: boolean;
  /** The last reason why it could not go on. */
  readonly reason: string | undefined;
  readonly lacksSpace: boolean;
}

/** The Postgres of a preparation, with our configuration alone. */
export class PreparationServer {
  readonly #cluster: Cluster;
  /** A file and no pipe: programs that COPY starts inherit it, and may outlive the server. */
  readonly logFile: string;
  #child: Child | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.logFile = join(cluster.scratch, 'postgres.log');
  }

  /** Process id of the postmaster while it runs. */
  get pid(): number | undefined {
    return this.#child?.process.pid;
  }

  /** Resolves when it takes connections. Throws PreparationFailure when it cannot recover the backup. */
  async start(): Promise<void> {
    const { bin, work, major } = this.#cluster;
    const log = await open(this.logFile, 'w', 0o600);
    const child = startChild(
      `${bin}/postgres`,
      ['-D', work, '-c', `config_file=${getConfigurationFile(this.#cluster)}`],
      ['ignore', log.fd, log.fd],
    );
    await log.close();
    this.#child = child;
    const state = { hasEnded: false };
    const noteEnd = (): void => {
      state.hasEnded = true;
    };
    child.ended.then(noteEnd, noteEnd);
    while (!(await this.#readLog()).isReady) {
      if (state.hasEnded) {
        this.#child = undefined;
        throw await this.createFailure(`Postgres ${major} cannot recover the backup`);
      }
      await delay(POLL_MS);
    }
  }

  /** A clean shutdown, checkpoint included. Throws PreparationFailure when it was not clean. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    // A fast shutdown (PostgreSQL manual, 19.5).
    child.process.kill('SIGINT');
    const { exitCode } = await child.ended;
    this.#child = undefined;
    if (exitCode === 0) return;
    throw await this.createFailure(`Postgres ${this.#cluster.major} did not shut down cleanly`);
  }

  /** With the reason that Postgres has logged last, and what to do about it. */
  async createFailure(what: string): Promise<PreparationFailure> {
    const { reason } = await this.#readLog();
    if (reason === undefined) return new PreparationFailure(what);
    const hint = findRecoveryHint(reason);
    return new PreparationFailure(`${what}: ${reason}${hint === undefined ? '' : ` (${hint})`}`);
  }

  /** Whether Postgres has logged that there is no space. */
  async lacksSpace(): Promise<boolean> {
    return (await this.#readLog()).lacksSpace;
  }

  async #readLog(): Promise<Logged> {
    let [isReady, lacksSpace] = [false, false];
    let reason: string | undefined;
    try {
      for await (const line of readLines(createReadStream(this.logFile))) {
        if (line.includes(READY)) isReady = true;
        if (isWantOfSpace(line)) lacksSpace = true;
        reason = FATAL.exec(line)?.[1]?.slice(0, MAX_REASON_LENGTH) ?? reason;
      }
    } catch {
      // A script may have removed it.
    }
    return { isReady, reason, lacksSpace };
  }
}
