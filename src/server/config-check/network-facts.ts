import type pg from 'pg';
import type { DatabaseUrl } from '../../config/database-url.ts';
import { listAddresses } from '../../config/read-http.ts';
import type { HttpConfig } from '../../config/server-config.ts';
import { inspectDatabase, type DatabaseFacts } from '../../db/inspect-database.ts';
import { listPendingMigrations } from '../../db/migrate.ts';
import { findListenError } from '../../exec/listen-probe.ts';
import { findUnspecifiedAddress } from '../../http/unspecified-address.ts';
import { createDatabaseConfig, listMigrations } from '../database.ts';
import { describeFailure } from '../start-failure.ts';
import { isServerPort, type PortFacts, type TriedAddress } from './check-ports.ts';

/** For the connection and for each query, in milliseconds. */
const DATABASE_TIMEOUT_MS = 5000;

/** A database that was reached, or why not. */
export type DatabaseAnswer =
  | { readonly facts: DatabaseFacts; readonly pending: readonly string[] }
  | { readonly reason: string; readonly code: string | undefined };

/** Asks the metadata database. */
export async function askDatabase(url: DatabaseUrl): Promise<DatabaseAnswer> {
  try {
    const config: pg.ClientConfig = {
      query_timeout: DATABASE_TIMEOUT_MS,
      ...(await createDatabaseConfig(url)),
      connectionTimeoutMillis: Math.min(url.connectTimeoutMs ?? DATABASE_TIMEOUT_MS, DATABASE_TIMEOUT_MS),
    };
    const facts = await inspectDatabase(config);
    return { facts, pending: await listPendingMigrations(config, listMigrations()) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return { reason: describeFailure(error), code: typeof code === 'string' ? code : undefined };
  }
}

/** Tries every address of [http] on which the server does not listen already. */
export function tryAddresses(http: HttpConfig, facts: PortFacts): Promise<TriedAddress[]> {
  return Promise.all(
    listAddresses(http).map(async ([key, address]) => {
      if (isServerPort(address.port, facts)) return { key, address, failure: undefined };
      const host = address.host === '' ? await findUnspecifiedAddress() : address.host;
      return { key, address, failure: await findListenError({ host, port: address.port }) };
    }),
  );
}
