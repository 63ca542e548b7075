import type pg from 'pg';
import type { ServerConfig } from '../config/server-config.ts';
import type { Sealer } from '../core/instance.ts';
import type { CertificateAuthority } from '../core/instance-credentials.ts';
import type { Log } from '../core/log.ts';
import { PgCredentialStore } from '../db/credential-store.ts';
import { PgCertificateProof } from '../exec/certificate-proof.ts';
import { ScriptCertificateStorage } from '../exec/script-certificate-storage.ts';
import type { ScriptRunner } from '../exec/script-runner.ts';
import { createCertificateChain, renewCertificateChain } from '../tls/certificate-chain.ts';

/**
 * Issues certificates for nobody, once the server answers: the first use of the library that writes them takes some 40 ms,
 * which the first one who creates an instance need not wait for.
 */
export function warmUp(authority: Pick<CertificateAuthority, 'createChain'>, log: Log): void {
  setImmediate(() => {
    authority
      .createChain(0)
      .catch((error: unknown) => log.error({ err: error }, 'cannot issue certificates'));
  });
}

/** The parts that issue, install and prove the certificates of instances. */
export function composeCertificates(
  config: Pick<ServerConfig, 'publicHostname' | 'certificateLifetimeMs'>,
  parts: { pool: pg.Pool; sealer: Sealer; scripts: ScriptRunner; log: Log },
) {
  const { pool, sealer, scripts, log } = parts;
  const choose = () => ({
    hostname: config.publicHostname,
    now: new Date(),
    lifetimeMs: config.certificateLifetimeMs,
  });
  const authority: CertificateAuthority = {
    createChain: (instanceId) => createCertificateChain({ instanceId, ...choose() }),
    renewChain: (instanceId, ca) => renewCertificateChain({ instanceId, ca, ...choose() }),
  };
  return {
    authority,
    store: new PgCredentialStore(pool),
    storage: new ScriptCertificateStorage(scripts),
    proof: new PgCertificateProof(config.publicHostname),
    sealer,
    log,
  };
}
