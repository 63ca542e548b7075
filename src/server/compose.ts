import type pg from 'pg';
import { readOrCreateKeyFile } from '../auth/key-file.ts';
import { SealedBox } from '../auth/sealed-box.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { Images } from '../core/images.ts';
import { Instances } from '../core/instances.ts';
import type { Log } from '../core/log.ts';
import { PgAddressStore } from '../db/address-store.ts';
import { PgImageStore } from '../db/image-store.ts';
import { PgInstanceStore } from '../db/instance-store.ts';
import { HostPortProbe } from '../exec/host-port-probe.ts';
import { PgInstanceProof } from '../exec/instance-proof.ts';
import { ScriptImageStorage } from '../exec/script-image-storage.ts';
import { ScriptInstanceStorage } from '../exec/script-instance-storage.ts';
import { ScriptRunner } from '../exec/script-runner.ts';
import { createClientAddressFinder } from '../http/client-address.ts';
import type { AppParts } from '../http/app.ts';
import { Loop } from '../jobs/loop.ts';
import { createCertificateChain } from '../tls/certificate-chain.ts';
import { composeIdentity } from './identity.ts';

/** The server's parts: what answers requests, and what runs beside that. */
export interface Composition {
  app: AppParts;
  /** Not started yet. */
  loops: Loop[];
}

/** Makes the parts of the server of their configuration and fits them together. Starts nothing. */
export async function compose(config: ServerConfig, pool: pg.Pool, log: Log): Promise<Composition> {
  const sealer = new SealedBox(await readOrCreateKeyFile(config.encryptionKeyFile));
  const scripts = new ScriptRunner(config.scriptsPath);
  const imageStore = new PgImageStore(pool);
  const instances = new Instances({
    store: new PgInstanceStore(pool),
    images: imageStore,
    addresses: new PgAddressStore(pool),
    storage: new ScriptInstanceStorage(scripts),
    proof: new PgInstanceProof({
      publicHostname: config.publicHostname,
      startTimeoutMs: config.instanceStartTimeoutMs,
    }),
    ports: new HostPortProbe(),
    sealer,
    issueCertificates: (instanceId) =>
      createCertificateChain({ instanceId, hostname: config.publicHostname, now: new Date() }),
    log,
    portRange: { min: config.minInstancePort, max: config.maxInstancePort },
  });
  const images = new Images({
    store: imageStore,
    storage: new ScriptImageStorage(scripts),
    instances,
    log,
    finaliseTimeoutMs: config.finaliseTimeoutMs,
  });
  const { authenticator, logins, cleaner } = composeIdentity(config, { pool, sealer, instances, log });
  const cleaning =
    cleaner &&
    new Loop({
      name: 'clean',
      intervalMs: config.cleanIntervalMs,
      round: (signal) => cleaner.run(signal),
      log,
    });
  return {
    app: {
      images,
      instances,
      authenticator,
      logins,
      log,
      versionCheck: config.apiVersionCheck,
      findClientAddress: createClientAddressFinder(config),
      publicHostname: config.publicHostname,
    },
    loops: cleaning ? [cleaning] : [],
  };
}
