import { join } from 'node:path';
import { readAsset } from '../assets.ts';
import { removeTree, run } from './host.ts';
import type { Layout } from './layout.ts';
import { sampleTables } from './sample-data.ts';

/** A Postgres that stands for production while quickstart runs. */
export class SourceDatabase {
  readonly #layout: Layout;
  readonly #bin: string;
  readonly #data: string;
  readonly #backup: string;

  constructor(layout: Layout, bin: string) {
    this.#layout = layout;
    this.#bin = bin;
    this.#data = join(layout.source, 'data');
    this.#backup = join(layout.source, 'backup');
  }

  async start(): Promise<void> {
    await this.remove();
    await run([
      'install',
      '-d',
      '-m',
      '0700',
      '-o',
      this.#layout.uploadUser,
      '-g',
      this.#layout.uploadUser,
      this.#layout.source,
    ]);
    await this.#run('initdb', '-D', this.#data, '-U', 'postgres', '-E', 'UTF8', '--no-locale', '--no-sync');
    // It is thrown away in a minute: nothing has to survive a power cut.
    const settings = '-c listen_addresses= -c fsync=off -c synchronous_commit=off -c max_wal_size=4GB';
    const options = `-k ${this.#layout.source} ${settings}`;
    const log = join(this.#layout.source, 'log');
    await this.#run('pg_ctl', '-D', this.#data, '-l', log, '-w', '-s', '-o', options, 'start');
  }

  /** Fills database `shop` with the sample; resolves to its size for people, such as `267 MB`. */
  async load(): Promise<string> {
    await this.query('postgres', 'CREATE DATABASE shop');
    await this.#psql('shop', ['-f', '-'], readAsset('sample/shop.sql').toString());
    for (const { table, columns, rows } of sampleTables()) {
      await this.#psql('shop', ['-c', `COPY ${table} (${columns.join(', ')}) FROM STDIN`], rows);
    }
    await this.#psql('shop', ['-f', '-'], readAsset('sample/shop-after-load.sql').toString());
    return this.query('shop', `SELECT pg_size_pretty(pg_database_size('shop'))`);
  }

  /** Takes a base backup as production would: `base.tar` and `pg_wal.tar`. */
  async backUp(): Promise<void> {
    const options = ['-Ft', '-X', 'stream', '-c', 'fast', '--no-sync', '-D', this.#backup];
    await this.#run('pg_basebackup', '-h', this.#layout.source, '-U', 'postgres', ...options);
  }

  /** Copies the backup into a directory of the upload user. */
  async copyBackup(target: string): Promise<void> {
    const files = ['-mindepth', '1', '-maxdepth', '1', '-type', 'f'];
    await run(['find', this.#backup, ...files, '-exec', 'cp', '-t', target, '--', '{}', '+'], {
      user: this.#layout.uploadUser,
    });
  }

  /** Rows without header, a line each, columns separated by `|`. */
  query(database: string, sql: string): Promise<string> {
    return this.#psql(database, ['-A', '-t', '-c', sql]);
  }

  /** Ends it and removes all of it, also what an interrupted run has left. */
  async remove(): Promise<void> {
    await this.#run('pg_ctl', '-D', this.#data, '-m', 'immediate', '-s', 'stop').catch(() => undefined);
    await removeTree(this.#layout.source);
  }

  #run(program: string, ...args: string[]): Promise<string> {
    return run([join(this.#bin, program), ...args], { user: this.#layout.uploadUser });
  }

  async #psql(database: string, args: string[], input?: string | Iterable<string>): Promise<string> {
    const connection = ['-h', this.#layout.source, '-U', 'postgres', '-d', database];
    const argv = ['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', ...connection, ...args];
    const output = await run(argv, {
      user: this.#layout.uploadUser,
      ...(input === undefined ? {} : { input }),
    });
    return output.trim();
  }
}
