import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { Instance } from './api.ts';

export interface Access {
  host?: string;
  database?: string;
  user?: string;
  /** False connects without TLS; an object replaces parts of the instance's own credentials. */
  tls?: false | ConnectionOptions;
  /** Longest time until it is connected, in milliseconds. */
  timeoutMs?: number;
}

/** A connection to an instance, by default with its owner's credentials and full verification of the server. */
export async function connect(
  instance: Pick<Instance, 'port' | 'credentials'>,
  access: Access = {},
): Promise<pg.Client> {
  const { host = 'localhost', database = 'shop', user = 'draupnir', tls = {}, timeoutMs = 10_000 } = access;
  const client = new pg.Client({
    host,
    port: instance.port,
    database,
    user,
    password: '',
    connectionTimeoutMillis: timeoutMs,
    ssl: tls === false ? false : { ...instance.credentials, ...tls },
  });
  // A session that is ended from the other side: the query under way tells it, or nobody cares.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end();
    throw error;
  }
  return client;
}

/** Runs one statement in a session of its own; resolves to the first column of all rows. */
export async function query(
  instance: Pick<Instance, 'port' | 'credentials'>,
  sql: string,
  access: Access = {},
): Promise<unknown[]> {
  const client = await connect(instance, access);
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows.map((row) => row[0]);
  } finally {
    await client.end();
  }
}
