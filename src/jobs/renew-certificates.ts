import { isRenewalDue, type Validity } from '../core/certificate-validity.ts';
import { DomainError } from '../core/errors.ts';
import type { CredentialStore, CertificateProof, CertifiedInstance } from '../core/instance-certificates.ts';
import type { InstanceCredentials } from '../core/instance-credentials.ts';
import type { Sealer } from '../core/instance.ts';
import type { Log } from '../core/log.ts';
import { openCredentials } from '../core/sealed-credentials.ts';

export interface CertificateRenewalParts {
  store: Pick<CredentialStore, 'list'>;
  credentials: Pick<InstanceCredentials, 'renew'>;
  proof: Pick<CertificateProof, 'check'>;
  sealer: Sealer;
  /** Reads a PEM certificate. */
  readValidity: (certificate: string) => Validity;
  log: Log;
  lifetimeMs: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** Instances looked at side by side: one whose Postgres is only starting must not keep the others waiting. */
const PARALLEL = 4;

const HOUR_MS = 3_600_000;

/** How often to look, in milliseconds: often enough that a failed renewal is tried several times before anything expires. */
export function getRenewalInterval(lifetimeMs: number): number {
  return Math.min(HOUR_MS, lifetimeMs / 24);
}

/**
 * Renews the certificates of instances before they expire, and repairs what an instance serves when it is not what the
 * database knows, after the database was restored for example. All it ever does is to issue anew: whatever the clock says,
 * nothing is destroyed and no session ends.
 */
export class CertificateRenewal {
  readonly #parts: CertificateRenewalParts;
  readonly #now: () => number;

  constructor(parts: CertificateRenewalParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
  }

  /** Looks at every instance once. One instance's failure does not keep the others from being looked at. */
  async run(signal: AbortSignal): Promise<void> {
    const waiting = (await this.#parts.store.list()).values();
    const work = async (): Promise<void> => {
      for (const { instance, box } of waiting) {
        if (signal.aborted) return;
        try {
          await this.#look(instance, box);
        } catch (error) {
          if (error instanceof DomainError && error.kind === 'not_found') continue;
          this.#parts.log.error({ instanceId: instance.id, err: error }, 'cannot keep certificates');
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
  }

  async #look(instance: CertifiedInstance, box: Buffer): Promise<void> {
    const { credentials, proof, sealer, readValidity, log, lifetimeMs } = this.#parts;
    const stored = openCredentials(sealer, instance.id, box);
    const due = [stored.ca, stored.client].some(({ certificate }) =>
      isRenewalDue(readValidity(certificate), this.#now(), lifetimeMs),
    );
    if (due || stored.next) {
      await credentials.renew(instance);
    } else if ((await proof.check(instance, stored)) === 'mismatched') {
      log.warn({ instanceId: instance.id }, 'instance serves other certificates than its owner has');
      await credentials.renew(instance);
    }
  }
}
