import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Cluster } from './cluster.ts';
import { run } from './command.ts';
import { type Installation, UPLOAD_USER } from './installation.ts';

/** A real person's address, which no instance may show. */
export const PLANTED_EMAIL = 'ada.real@victim.example';

/** What a script has to do so that the planted address is gone. */
export const ANONYMISE = `\\c shop
UPDATE customers SET name = 'Customer ' || id, email = 'customer-' || id || '@anonymous.invalid';
`;

/** Few enough rows that the planner's statistics hold every single address. */
const CUSTOMERS = 60;

/** Database `shop` of every source; objects belong to several roles. */
const SOURCE_SQL = `
CREATE ROLE app LOGIN PASSWORD 'app';
CREATE ROLE draupnir SUPERUSER LOGIN PASSWORD 'draupnir';
CREATE DATABASE shop;
\\c shop
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE);
INSERT INTO customers SELECT i, 'Real Person ' || i, 'person' || i || '@victim.example' FROM generate_series(2, ${CUSTOMERS}) i;
INSERT INTO customers VALUES (1, 'Ada Real', '${PLANTED_EMAIL}');
CREATE SEQUENCE tickets;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN percentage AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE FUNCTION one() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
CREATE VIEW customer_names AS SELECT id, name FROM customers;
SET ROLE app;
RESET ROLE;
CREATE SCHEMA app AUTHORIZATION app;
SET ROLE app;
CREATE TABLE app.orders (id serial PRIMARY KEY, customer int, state public.mood);
INSERT INTO app.orders (customer, state) SELECT i, 'good' FROM generate_series(1, ${CUSTOMERS}) i;
CREATE MATERIALIZED VIEW app.totals AS SELECT customer, count(*) AS orders FROM app.orders GROUP BY customer;
CREATE FUNCTION app.two() RETURNS int LANGUAGE sql AS 'SELECT 2';
RESET ROLE;
ANALYZE;
`;

/** How a clean data directory is packed: program and suffix. */
export type Packing = 'tar' | 'tar.gz' | 'tar.zst' | 'tar.xz';

const COMPRESSORS: Record<Packing, string[]> = {
  tar: [],
  'tar.gz': ['-I', 'gzip -1'],
  'tar.zst': ['-I', 'zstd -1'],
  'tar.xz': ['-I', 'xz -0'],
};

/** A cluster that stands for production, and the backups made of it. */
export class Source {
  readonly cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /**
   * Makes a running cluster of that major with database `shop`. Its first superuser is called like the cluster's user. With another
   * one called postgres, as most clusters have it, a preparation starts Postgres once instead of three times.
   */
  static async create(
    installation: Installation,
    name: string,
    major: number,
    { rolePostgres = true } = {},
  ): Promise<Source> {
    const { postgres, sources } = installation;
    await mkdir(sources, { recursive: true });
    const cluster = new Cluster({ postgres, major, dir: join(sources, name), user: UPLOAD_USER });
    await cluster.create();
    await cluster.start();
    if (rolePostgres) await cluster.query('postgres', 'CREATE ROLE postgres SUPERUSER LOGIN');
    await cluster.query('postgres', SOURCE_SQL);
    return new Source(cluster);
  }

  /** A backup by pg_basebackup in tar format, into a new folder; resolves to its files. Debian's major only. */
  async takeBaseBackup(name: string, ...options: string[]): Promise<string[]> {
    const folder = join(this.cluster.dir, name);
    const connection = ['-h', this.cluster.dir, '-c', 'fast', '--no-sync'];
    await this.cluster.run('pg_basebackup', ...connection, '-Ft', '-X', 'stream', '-D', folder, ...options);
    return listFiles(folder);
  }

  /** Packs the data directory of the stopped cluster; with `folder` its members are in one folder. */
  async pack(packing: Packing, options: { folder: boolean; name?: string }): Promise<string> {
    const file = join(this.cluster.dir, `${options.name ?? 'backup'}.${packing}`);
    const members = options.folder ? ['-C', this.cluster.dir, 'data'] : ['-C', this.cluster.data, '.'];
    await run(['tar', '-c', ...COMPRESSORS[packing], '-f', file, ...members], { user: this.cluster.user });
    return file;
  }

  /** The parts of the data directory of the stopped cluster. */
  listDataFiles(): Promise<string[]> {
    return listFiles(this.cluster.data);
  }
}

async function listFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).map((name) => join(folder, name));
}
