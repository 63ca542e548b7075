import type pg from 'pg';
import { readOrCreateKeyFile } from '../auth/key-file.ts';
import { SealedBox } from '../auth/sealed-box.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { AuditLog } from '../core/audit-log.ts';
import type { ErrorReporter } from '../core/error-reporter.ts';
import { Images } from '../core/images.ts';
import { InstanceCredentials } from '../core/instance-credentials.ts';
import { InstanceSupervisor } from '../core/instance-supervisor.ts';
import { Instances } from '../core/instances.ts';
import { LegacyData } from '../core/legacy-data.ts';
import { Limiter } from '../core/limiter.ts';
import type { Log } from '../core/log.ts';
import { Readiness } from '../core/readiness.ts';
import { ReportingLog } from '../core/reporting-log.ts';
import { PgImageStore } from '../db/image-store.ts';
import { PgInstanceStore } from '../db/instance-store.ts';
import { BtrfsVolume } from '../exec/btrfs-volume.ts';
import { HostPortProbe } from '../exec/host-port-probe.ts';
import { PgInstanceProber } from '../exec/instance-prober.ts';
import { PgInstanceProof } from '../exec/instance-proof.ts';
import { ProcPostmasters } from '../exec/proc-postmasters.ts';
import { ScriptImageStorage } from '../exec/script-image-storage.ts';
import { ScriptInstanceStorage } from '../exec/script-instance-storage.ts';
import { ScriptLegacyStorage } from '../exec/script-legacy-storage.ts';
import { ScriptRunner } from '../exec/script-runner.ts';
import { createClientAddressFinder, createProxyTest } from '../http/client-address.ts';
import type { AppParts } from '../http/app.ts';
import { WarmFiller } from '../jobs/fill-warm-instances.ts';
import { Loop } from '../jobs/loop.ts';
import { CertificateRenewal, getRenewalInterval } from '../jobs/renew-certificates.ts';
import type { MetricsText } from '../metrics/metrics-server.ts';
import { readValidity } from '../tls/validity.ts';
import { composeCertificates, warmUp } from './certificates.ts';
import { withFailpoints } from '../failpoints.ts';
import { composeIdentity } from './identity.ts';
import { logIgnoredPeers } from './ignored-peers.ts';
import { composeNetwork } from './network.ts';
import { composeMetrics } from './metrics.ts';
import { createDatabasePart, createDataPathPart } from './readiness-parts.ts';

/** How many may wait for their turn: creations take a fraction of a second each, preparations minutes. */
const CREATE_QUEUE = 100;
const FINALISE_QUEUE = 20;

/** The server's parts: what answers requests, and what runs beside that. */
export interface Composition {
  app: AppParts;
  /** Not started yet. */
  loops: Loop[];
  /** What is read at `metrics_listen_address`, if there is one. */
  metrics: MetricsText | undefined;
  /** Makes the rules of the firewall right, before anything opens. */
  applyRules: () => Promise<void>;
  legacyData: LegacyData;
  /** Does beforehand what requests would have to wait for. */
  warmUp: () => void;
  /** Ends what waits for requests. */
  coolDown: () => Promise<void>;
}

/** Makes the parts of the server of their configuration and fits them together. Starts nothing. */
export async function compose(
  config: ServerConfig,
  pool: pg.Pool,
  audit: AuditLog,
  reporting: { log: Log; errors: ErrorReporter | undefined },
): Promise<Composition> {
  const { errors } = reporting;
  // Loops and requests report by themselves, with where it was.
  const log = errors ? new ReportingLog(reporting.log, errors) : reporting.log;
  const sealer = new SealedBox(await readOrCreateKeyFile(config.encryptionKeyFile));
  const scripts = new ScriptRunner(config.scriptsPath, config.scriptTimeoutMs, (script, notice) =>
    log.warn({ script, notice }, 'a script has a notice'),
  );
  const imageStore = new PgImageStore(pool);
  const volume = new BtrfsVolume(config.dataPath, config.minFreeSpace);
  const network = composeNetwork(config, { pool, scripts, log, reporting });
  const { allowList } = network;
  const store = new PgInstanceStore(pool);
  const storage = new ScriptInstanceStorage(scripts);
  const certificates = composeCertificates(config, { pool, sealer, scripts, log });
  const credentials = new InstanceCredentials({
    ...certificates,
    instances: store,
    allowList,
    adopted: storage,
    volume,
  });
  const instanceParts = withFailpoints('instances', {
    store,
    images: imageStore,
    allowList,
    storage,
    credentials,
    proof: new PgInstanceProof({
      publicHostname: config.publicHostname,
      startTimeoutMs: config.instanceStartTimeoutMs,
    }),
    ports: new HostPortProbe(),
    postmasters: new ProcPostmasters(),
    volume,
    limiter: new Limiter({ concurrency: config.maxConcurrentCreates, queueLength: CREATE_QUEUE }),
    sealer,
    issueCertificates: (instanceId: number) => certificates.authority.createChain(instanceId),
    log,
    portRange: { min: config.minInstancePort, max: config.maxInstancePort },
  });
  const readiness = new Readiness([
    createDatabasePart(pool),
    createDataPathPart(volume),
    ...network.readiness,
  ]);
  const metrics = config.http.metricsListenAddress && (await composeMetrics({ pool, volume, readiness }));
  const measured = metrics ? { meter: metrics } : {};
  const instances = new Instances({
    ...instanceParts,
    ...measured,
    warmInstances: config.warmInstances,
    onIdle: () => filling.wake(),
  });
  const imageParts = withFailpoints('images', {
    store: imageStore,
    storage: new ScriptImageStorage(scripts, config.scrub),
    instances,
    volume,
    log,
    errors,
    limiter: new Limiter({ concurrency: config.maxConcurrentFinalises, queueLength: FINALISE_QUEUE }),
    finaliseTimeoutMs: config.finaliseTimeoutMs,
  });
  const images = new Images({ ...imageParts, ...measured });
  const supervisor = new InstanceSupervisor({ ...instanceParts, ...measured });
  const reconciling = new Loop({
    name: 'reconcile',
    intervalMs: config.reconcileIntervalMs,
    round: async (signal) => {
      await instances.reconcile();
      await images.reconcile();
      await supervisor.run(signal);
    },
    ...reporting,
  });
  const prober = new PgInstanceProber({
    publicHostname: config.publicHostname,
    sealer,
    readAdoptedCredentials: (id) => storage.readAdoptedCredentials(id),
  });
  const legacyData = new LegacyData({
    store,
    storage: new ScriptLegacyStorage(scripts, prober),
    volume,
    log,
  });
  const adopting = new Loop({
    name: 'adopt data of Draupnir 5.3',
    intervalMs: config.reconcileIntervalMs,
    round: () => legacyData.run(),
    log,
  });
  const filler = new WarmFiller({
    images: imageStore,
    store,
    instances,
    log,
    count: config.warmInstances,
  });
  const filling = new Loop({
    name: 'fill warm instances',
    intervalMs: config.reconcileIntervalMs,
    round: (signal) => filler.run(signal),
    ...reporting,
  });
  const { authenticator, logins, cleaner } = composeIdentity(config, { pool, sealer, instances, audit, log });
  const cleaning =
    cleaner &&
    new Loop({
      name: 'clean',
      intervalMs: config.cleanIntervalMs,
      round: (signal) => cleaner.run(signal),
      ...reporting,
    });
  const renewal = new CertificateRenewal({
    ...certificates,
    credentials,
    readValidity,
    lifetimeMs: config.certificateLifetimeMs,
  });
  const renewing = new Loop({
    name: 'renew certificates',
    intervalMs: getRenewalInterval(config.certificateLifetimeMs),
    round: (signal) => renewal.run(signal),
    ...reporting,
  });
  return {
    app: {
      images,
      instances,
      credentials,
      authenticator,
      logins,
      audit,
      readiness,
      ...reporting,
      ...measured,
      limits: config.limits,
      versionCheck: config.apiVersionCheck,
      findClientAddress: createClientAddressFinder(config, logIgnoredPeers(log)),
      isProxy: createProxyTest(config),
      publicHostname: config.publicHostname,
    },
    loops: [reconciling, adopting, cleaning, renewing, network.loop, filling].filter(
      (loop) => loop !== undefined,
    ),
    metrics,
    applyRules: network.applyRules,
    legacyData,
    warmUp: () => {
      warmUp(certificates.authority, log);
      scripts.standBy((script, reason) =>
        log.warn({ script, reason }, 'a script cannot be started in advance'),
      );
    },
    coolDown: () => scripts.close(),
  };
}
