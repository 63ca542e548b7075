import { join } from 'node:path';
import { run } from './command.ts';

/** A private Postgres cluster: it listens on a socket in its own directory and loses data in a power cut. */
export class Cluster {
  readonly user: string;
  /** Holds the data directory, the socket and the log. */
  readonly dir: string;
  readonly data: string;
  readonly #bin: string;

  /** `postgres` is the directory that holds the majors. */
  constructor(options: { postgres: string; major: number; dir: string; user: string }) {
    this.#bin = join(options.postgres, String(options.major), 'bin');
    this.user = options.user;
    this.dir = options.dir;
    this.data = join(options.dir, 'data');
  }

  /** Makes the cluster, with further options of initdb; its superuser is called like the user. */
  async create(...options: string[]): Promise<void> {
    await run(['install', '-d', '-m', '0700', '-o', this.user, '-g', this.user, this.dir]);
    await this.run(
      'initdb',
      '-D',
      this.data,
      '-E',
      'UTF8',
      '--no-locale',
      '-A',
      'peer',
      '--no-sync',
      ...options,
    );
  }

  async start(...settingsOfTest: string[]): Promise<void> {
    const own = ['listen_addresses=', 'fsync=off', 'synchronous_commit=off'];
    const settings = [...own, ...settingsOfTest].map((setting) => `-c ${setting}`).join(' ');
    const options = `-k ${this.dir} ${settings}`;
    await this.run(
      'pg_ctl',
      '-D',
      this.data,
      '-l',
      join(this.dir, 'log'),
      '-w',
      '-s',
      '-o',
      options,
      'start',
    );
  }

  /** A clean shutdown: what is in the data directory then is a complete backup. */
  async stop(): Promise<void> {
    await this.run('pg_ctl', '-D', this.data, '-m', 'fast', '-w', '-s', 'stop');
  }

  /** Runs SQL by psql; resolves to the rows, a line each, columns separated by `|`. */
  async query(database: string, sql: string): Promise<string> {
    const connection = ['-h', this.dir, '-d', database];
    const argv = ['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', ...connection, '-f', '-'];
    return (await run(argv, { user: this.user, input: sql })).trim();
  }

  /** Runs a program of the major as the cluster's user. */
  run(program: string, ...args: string[]): Promise<string> {
    return run([join(this.#bin, program), ...args], { user: this.user });
  }
}
