import pg from 'pg';

/** What `config check` wants to know of the metadata database. */
export interface DatabaseFacts {
  /** Such as `15.8 (Debian 15.8-0+deb12u1)`. */
  readonly version: string;
  /** `server_version_num`. */
  readonly versionNumber: number;
  readonly user: string;
  readonly database: string;
  /** Where tables are created; null when nothing of the search_path exists. */
  readonly schema: string | null;
  /** Whether the user may create tables there. */
  readonly canCreate: boolean;
  /** Of the instances, where there are any. */
  readonly instancePorts: readonly number[];
}

/** Asks the database over a connection of its own, and changes nothing. */
export async function inspectDatabase(config: pg.ClientConfig): Promise<DatabaseFacts> {
  const client = new pg.Client(config);
  // A connection that breaks is told by the query under way.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<Omit<DatabaseFacts, 'instancePorts'> & { hasInstances: boolean }>(
      `SELECT current_setting('server_version') AS version,
         current_setting('server_version_num')::int AS "versionNumber",
         current_user AS "user", current_database() AS database, current_schema() AS schema,
         COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false) AS "canCreate",
         to_regclass('instances') IS NOT NULL AS "hasInstances"`,
    );
    const [facts] = rows;
    if (!facts) throw new Error('the database does not answer with a row');
    const { hasInstances, ...about } = facts;
    const ports = hasInstances
      ? await client.query<{ port: number }>('SELECT port FROM instances WHERE port IS NOT NULL')
      : { rows: [] };
    return { ...about, instancePorts: ports.rows.map(({ port }) => port) };
  } finally {
    await client.end();
  }
}
