import { join } from 'node:path';
import { inject } from 'vitest';
import { run, runCommand } from './command.ts';
import { getInstallation, UID_COUNT } from './installation.ts';

const SCRIPT = join(import.meta.dirname, 'preparation.sh');

/** Far from the ids that are handed out. */
let nextId = UID_COUNT - 1000;

/** Seconds that what a script has started may take to end; a preparation gives it more. */
const PATIENCE = 2;

/** A statement of the verification script, and the database it is asked in. */
export interface VerificationQuery {
  line: number;
  database: string;
  text: string;
}

/**
 * The Postgres of a preparation, in its sandbox and as its uid, on a clone of the shared image. Single steps are taken by the
 * functions of the scripts, in a small part of the time of a whole preparation. Needs no server.
 */
export class Preparation {
  readonly #id: string;

  private constructor(id: number) {
    this.#id = String(id);
  }

  static async start(): Promise<Preparation> {
    const preparation = new Preparation(nextId++);
    await run(preparation.#argv('start', String(inject('e2e').imageId)));
    return preparation;
  }

  /** Runs an anonymisation script; resolves to the reason why it fails, or undefined when it is good. */
  anonymise(script: string): Promise<string | undefined> {
    return this.#judge(script, 'anonymise', String(PATIENCE));
  }

  /** Asks the queries; resolves to the reason why one fails, or undefined when they are good. */
  verify(queries: readonly VerificationQuery[]): Promise<string | undefined> {
    const input = queries.map(({ line, database, text }) => `${line}\0${database}\0${text}\0`).join('');
    return this.#judge(input, 'verify');
  }

  /** Removes all of it. */
  async stop(): Promise<void> {
    await run(this.#argv('stop'));
  }

  async #judge(input: string, command: string, ...args: string[]): Promise<string | undefined> {
    const { exitCode, stdout, stderr } = await runCommand(this.#argv(command, ...args), { input });
    if (exitCode === 0 && stdout === 'done\n') return undefined;
    const reason = /^failure ([^\n]+)\n$/.exec(stdout)?.[1];
    if (exitCode === 65 && reason !== undefined) return reason;
    throw new Error(`${command} ended with ${exitCode ?? 'a signal'}: ${stdout}${stderr}`);
  }

  #argv(command: string, ...args: string[]): string[] {
    return ['bash', '-p', SCRIPT, getInstallation().scripts, command, this.#id, ...args];
  }
}
