import type pg from 'pg';
import type { Logger } from 'pino';
import { AuditFile } from '../audit/audit-file.ts';
import { formatWarning } from '../config/problem.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { CoalescedRun } from '../core/coalesced-run.ts';
import { listPendingMigrations, migrate } from '../db/migrate.ts';
import { createMetadataPool } from '../db/metadata-pool.ts';
import { ServerLock } from '../db/server-lock.ts';
import type { LockEvents } from '../db/server-lock.ts';
import { canSeeProcesses } from '../exec/proc-stat.ts';
import { openMetricsServer } from '../metrics/metrics-server.ts';
import { VERSION } from '../version.ts';
import { reloadApiCertificate } from './api-certificate.ts';
import { closeOnSignal } from './close-on-signal.ts';
import { compose } from './compose.ts';
import { listMissingMountOptions } from './data-volume.ts';
import { createDatabaseConfig, listMigrations } from './database.ts';
import { openErrorReporter } from './error-reporting.ts';
import { HangUpAction } from './hang-up.ts';
import { checkHostConf } from './host-conf.ts';
import { openListeners } from './listeners.ts';
import { createLog } from './log.ts';
import { notifyReady } from './notify-ready.ts';
import { logSharedInstallations } from './other-installations.ts';
import { loadConfigAsServerUser } from './server-user.ts';
import { reportStartFailure } from './start-failure.ts';

/** sysexits.h */
const EX_TEMPFAIL = 75;

/**
 * `draupnir server`: runs until SIGTERM or SIGINT stops it, and reads the API's certificate again at SIGHUP. Resolves to an exit
 * code only when it cannot start.
 */
export async function runServer(options: { configFile: string }): Promise<number> {
  // What is open when the start fails is closed again, so that the process ends.
  const opened = new AsyncDisposableStack();
  const hangUp = opened.use(new HangUpAction());
  try {
    const { config, warnings } = await loadConfigAsServerUser(options.configFile);
    await checkHostConf(config, options.configFile);
    const log = createLog({ level: config.logLevel, environment: config.environment });
    for (const warning of warnings) log.warn({ warning: formatWarning(warning) }, 'configuration');
    if (config.useXForwardedFor && config.trustedProxyCidrs.length === 0) {
      const hint = 'name your proxies in trusted_proxy_cidrs';
      log.warn({ hint }, 'X-Forwarded-For is believed whoever sends it');
    }
    if (!config.blockInstanceEgress) {
      const hint = 'set block_instance_egress = true';
      log.warn({ hint }, 'instances can make outgoing connections');
    }
    if (!(await canSeeProcesses())) {
      const hint = 'without hidepid and ProtectProc= a suspended Postgres is found too';
      log.warn({ hint }, 'the state of processes of other users is hidden');
    }
    const missing = await listMissingMountOptions(config.dataPath);
    if (missing.length > 0) {
      const hint = `add ${missing.join(',')} to its options in /etc/fstab and mount it again`;
      log.warn({ dataPath: config.dataPath, hint }, 'files on the data volume could act on the host');
    }
    log.info({ version: VERSION, pid: process.pid }, 'starting');
    const looking = logSharedInstallations(config, log);

    const errors = await openErrorReporter(config, log);
    // Closed last: it may still have reports to send.
    if (errors) opened.use(errors);
    const database = await createDatabaseConfig(config.databaseUrl);
    opened.use(await ServerLock.acquire(database, tellLock(log)));
    await bringUpToDate(config, database, log);
    const pool = createMetadataPool(database, log);
    opened.defer(() => pool.end());
    const audit = await AuditFile.open(config.auditLog);
    opened.defer(() => audit.close());
    const composition = await compose(config, pool, audit, { log, errors });
    await composition.applyRules();
    // What fails is logged by its loop, which tries again.
    await composition.legacyData.run().catch(() => undefined);
    // Before instances are started: that is proven with the credentials that hold.
    await composition.app.credentials.recover();
    await composition.app.instances.reconcile();
    await composition.app.images.reconcile();
    if (config.http.metricsListenAddress && composition.metrics) {
      opened.use(await openMetricsServer(config.http.metricsListenAddress, composition.metrics));
    }
    const listeners = await openListeners(config.http, composition.app);
    for (const loop of composition.loops) loop.start();
    composition.warmUp();
    closeOnSignal(config, { composition, listeners, opened, log, errors });
    const { http } = config;
    const parts = { listeners, http, configFile: options.configFile, log };
    const reloading = new CoalescedRun(() => reloadApiCertificate(parts));
    hangUp.set(() => void reloading.run());
    await looking;
    await notifyReady(log);
    return await new Promise<number>(() => undefined);
  } catch (error) {
    await opened.disposeAsync();
    return reportStartFailure(error);
  }
}

/** Another server that uses the database would finish, and undo, what this one does: then this one ends. */
function tellLock(log: Logger): LockEvents {
  return {
    onLost: (error) => log.warn({ err: error }, 'lost the lock of the database: taking it again'),
    onRegained: () => log.info({}, 'has the lock of the database again'),
    onTaken: (error) => {
      log.fatal({ err: error }, 'another server has taken over');
      process.exit(EX_TEMPFAIL);
    },
  };
}

async function bringUpToDate(config: ServerConfig, database: pg.ClientConfig, log: Logger): Promise<void> {
  if (config.migrateOnStart) {
    for (const migration of await migrate(database, listMigrations())) {
      log.info({ migration }, 'applied migration');
    }
  } else {
    const pending = await listPendingMigrations(database, listMigrations());
    if (pending.length > 0) {
      throw new Error(`the database lacks migrations (${pending.join(', ')}): run draupnir migrate`);
    }
  }
}
