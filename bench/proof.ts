import { PgInstanceProof } from '../src/exec/instance-proof.ts';
import { createCertificateChain } from '../src/tls/certificate-chain.ts';

/** The `public_hostname` of the e2e installations (spec/e2e/support/server-config.ts). */
const HOSTNAME = 'localhost';

/** Longer than any start of a floor takes, in milliseconds. */
const START_TIMEOUT_MS = 60_000;

type Chain = Awaited<ReturnType<typeof createCertificateChain>>;

/**
 * The proof of an instance, by the server's own code. This is the only file of the bench that imports from `src`: a copy would
 * drift, and then the targets would compare two different proofs.
 */
export class Proof {
  readonly #instanceId: number;
  readonly #proof = new PgInstanceProof({ publicHostname: HOSTNAME, startTimeoutMs: START_TIMEOUT_MS });

  /** The proof expects the cluster and client names of this instance. */
  constructor(instanceId: number) {
    this.#instanceId = instanceId;
  }

  /** Generates three keys and their certificates. */
  issue(): Promise<Chain> {
    return createCertificateChain({ instanceId: this.#instanceId, hostname: HOSTNAME, now: new Date() });
  }

  /** Resolves when the Postgres at the port is proven. Its TLS contexts are made while it starts. */
  async prove(port: number, chain: Chain, ready: Promise<unknown>): Promise<void> {
    // The process id matters only for one that is not ready yet.
    const postmaster = ready.then(() => ({ pid: 0, ready: true }));
    await this.#proof.prove({ id: this.#instanceId, port }, chain, postmaster);
  }
}
