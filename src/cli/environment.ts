import { type CertificatePaths, writeCertificates } from './certificates.ts';
import type { Instance, OwnedInstance } from './documents.ts';
import { UNSET_VARIABLES } from './libpq-variables.ts';
import { quoteAlways, quoteWhenNeeded } from './shell-quote.ts';
import { formatUnset } from './shell-unset.ts';

/** The database to connect to: the setting, else the caller's PGDATABASE, else `postgres`. */
export function chooseDatabase(setting: string, callersDatabase: string | undefined): string {
  return setting || callersDatabase || 'postgres';
}

/** Writes an instance's certificates and returns the line of {@link formatExports}. Throws `CliError`. */
export async function prepareExports(instance: OwnedInstance, databaseSetting: string): Promise<string> {
  const database = chooseDatabase(databaseSetting, process.env.PGDATABASE);
  return formatExports(instance, await writeCertificates(instance.id, instance.credentials), database);
}

/** The line for `eval` that makes psql and friends connect to an instance (contract: command line). */
export function formatExports(instance: Instance, paths: CertificatePaths, database: string): string {
  return [
    formatUnset(UNSET_VARIABLES),
    '&& export',
    `PGHOST=${quoteWhenNeeded(instance.hostname)}`,
    `PGPORT=${instance.port}`,
    'PGUSER=draupnir',
    // libpq would otherwise take a password from the caller's environment.
    "PGPASSWORD=''",
    `PGDATABASE=${quoteWhenNeeded(database)}`,
    'PGSSLMODE=verify-ca',
    `PGSSLROOTCERT=${quoteAlways(paths.rootCertificate)}`,
    `PGSSLCERT=${quoteAlways(paths.clientCertificate)}`,
    `PGSSLKEY=${quoteAlways(paths.clientKey)}`,
  ].join(' ');
}
