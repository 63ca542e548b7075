import type pg from 'pg';
import { FirstMatch } from '../auth/first-match.ts';
import { readOrCreateKeyFile } from '../auth/key-file.ts';
import { SealedBox } from '../auth/sealed-box.ts';
import { SharedSecretAuthenticator } from '../auth/shared-secret-authenticator.ts';
import { StubAuthenticator } from '../auth/stub-authenticator.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { Authenticator } from '../core/caller.ts';
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
import { createCertificateChain } from '../tls/certificate-chain.ts';

/** Makes the parts of the server of their configuration and fits them together. Starts nothing. */
export async function compose(config: ServerConfig, pool: pg.Pool, log: Log): Promise<AppParts> {
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
    sealer: new SealedBox(await readOrCreateKeyFile(config.encryptionKeyFile)),
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
  return {
    images,
    instances,
    authenticator: createAuthenticator(config),
    log,
    versionCheck: config.apiVersionCheck,
    findClientAddress: createClientAddressFinder(config),
    publicHostname: config.publicHostname,
  };
}

function createAuthenticator(config: ServerConfig): Authenticator {
  const secret = new SharedSecretAuthenticator(config.sharedSecret);
  return config.environment === 'test'
    ? new FirstMatch([secret, new StubAuthenticator(config.trustedUserEmailDomain)])
    : secret;
}
