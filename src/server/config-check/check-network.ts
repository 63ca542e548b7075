import { listAddresses } from '../../config/read-http.ts';
import type { ReadableConfig } from '../../config/readable-config.ts';
import type { NumberRange } from '../../core/host-installation.ts';
import { readListeningSockets } from '../../exec/listening-sockets.ts';
import { findHostSetting, type HostConf } from '../host-conf.ts';
import { findServerUser } from '../server-user.ts';
import { checkDatabase, describeDatabaseFailure } from './check-database.ts';
import { checkInstancePorts, checkListenAddress, type PortFacts } from './check-ports.ts';
import { askDatabase, type DatabaseAnswer, tryAddresses } from './network-facts.ts';
import type { Outcome } from './outcome.ts';

/** Without UID_COUNT in host.conf (scripts/lib/common.sh). */
const DEFAULT_UID_COUNT = 1_000_000_000;

/** Asks the database, and looks who listens on the ports of the configuration. */
export async function checkNetwork(
  config: ReadableConfig,
  hostConf: HostConf | undefined,
  { asksDatabase }: { asksDatabase: boolean },
): Promise<Outcome[]> {
  const url = asksDatabase ? config.databaseUrl : undefined;
  const database = url && (await askDatabase(url));
  const recordedPorts = database && 'facts' in database ? database.facts.instancePorts : [];
  return [...judgeDatabase(database, config), ...(await checkPorts(config, hostConf, recordedPorts))];
}

function judgeDatabase(database: DatabaseAnswer | undefined, config: ReadableConfig): Iterable<Outcome> {
  if (!database) return [];
  if ('reason' in database) return [describeDatabaseFailure(database.reason, database.code)];
  const { facts, pending } = database;
  return checkDatabase(facts, { pending, migrateOnStart: config.migrateOnStart ?? true });
}

async function checkPorts(
  { http, encryptionKeyFile, minInstancePort, maxInstancePort }: ReadableConfig,
  hostConf: HostConf | undefined,
  recordedPorts: readonly number[],
): Promise<Outcome[]> {
  const owner = encryptionKeyFile === undefined ? undefined : await findServerUser(encryptionKeyFile);
  const facts: PortFacts = {
    sockets: await readListeningSockets(),
    serverUids: [owner, process.geteuid?.()].filter((uid) => uid !== undefined),
    instanceUids: hostConf ? readInstanceUids(hostConf) : { from: 0, to: -1 },
    recordedPorts,
  };
  const tried = http ? await tryAddresses(http, facts) : [];
  const outcomes = tried.flatMap((each) => [...checkListenAddress(each, facts)]);
  if (minInstancePort === undefined || maxInstancePort === undefined || minInstancePort >= maxInstancePort)
    return outcomes;
  const ports = { from: minInstancePort, to: maxInstancePort - 1 };
  const apiPorts = http ? listAddresses(http).map(([, { port }]) => port) : [];
  return [...outcomes, ...checkInstancePorts(ports, apiPorts, facts)];
}

function readInstanceUids(hostConf: HostConf): NumberRange {
  const from = Number(findHostSetting(hostConf, 'INSTANCE_UID_BASE'));
  return { from, to: from + Number(findHostSetting(hostConf, 'UID_COUNT') ?? DEFAULT_UID_COUNT) - 1 };
}
