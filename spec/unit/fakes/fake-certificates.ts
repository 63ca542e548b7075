import { OWNED, type CertificateChain, type Credentials } from '../../../src/core/instance.ts';
import type {
  CertificateProof,
  CertificateStorage,
  CertifiedInstance,
  CredentialStore,
  InstalledCertificates,
  Reception,
} from '../../../src/core/instance-certificates.ts';
import type { FakeInstanceStore } from './fake-instance-store.ts';
import type { Steps } from './steps.ts';

/** The credentials of a fake store. Steps: `credentials.<method>`. */
export class FakeCredentialStore implements CredentialStore {
  readonly #store: FakeInstanceStore;
  readonly #steps: Steps;

  constructor(store: FakeInstanceStore, steps: Steps) {
    this.#store = store;
    this.#steps = steps;
  }

  list(): Promise<{ instance: CertifiedInstance; box: Buffer }[]> {
    return this.#steps.run('credentials.list', () =>
      [...this.#store.credentials].flatMap(([id, box]) => {
        const row = this.#store.rows.get(id);
        return row && OWNED.includes(row.status) ? [{ instance: { id, port: row.port }, box }] : [];
      }),
    );
  }

  replace(id: number, current: Buffer, next: Buffer): Promise<boolean> {
    return this.#steps.run('credentials.replace', () => {
      const matches =
        OWNED.includes(this.#store.rows.get(id)?.status ?? 'destroying') &&
        this.#store.credentials.get(id)?.equals(current);
      if (matches) this.#store.credentials.set(id, next);
      return matches === true;
    });
  }
}

/** What imaginary instances serve. Steps: `certificates.install`, `certificates.keep`, `certificates.undo`. */
export class FakeCertificateStorage implements CertificateStorage {
  readonly served = new Map<number, CertificateChain>();
  /** Instances whose Postgres does not run. */
  readonly stopped = new Set<number>();
  /** Instances whose sessions were ended. */
  readonly ended: number[] = [];
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  async installCertificates(id: number, chain: CertificateChain): Promise<InstalledCertificates> {
    const before = this.served.get(id);
    await this.#steps.run('certificates.install', () => this.served.set(id, chain));
    return {
      pid: this.stopped.has(id) ? undefined : 4711,
      keep: async ({ endSessions }) => {
        await this.#steps.run('certificates.keep', () => {
          if (endSessions) this.ended.push(id);
        });
      },
      undo: async () => {
        await this.#steps.run('certificates.undo', () => {
          if (before) this.served.set(id, before);
          else this.served.delete(id);
        });
      },
    };
  }
}

/** Sees what the fake storage serves. Steps: `certificates.prove`, `certificates.check`. */
export class FakeCertificateProof implements CertificateProof {
  readonly retired: (Credentials | undefined)[] = [];
  readonly #storage: FakeCertificateStorage;
  readonly #steps: Steps;

  constructor(storage: FakeCertificateStorage, steps: Steps) {
    this.#storage = storage;
    this.#steps = steps;
  }

  proveInstalled({ id }: CertifiedInstance, chain: CertificateChain, retired?: Credentials): Promise<void> {
    return this.#steps.run('certificates.prove', () => {
      this.retired.push(retired);
      if (this.#storage.served.get(id) !== chain) throw new Error('another chain is served');
    });
  }

  check({ id }: CertifiedInstance, credentials: Credentials): Promise<Reception> {
    return this.#steps.run('certificates.check', () => {
      if (this.#storage.stopped.has(id)) return 'unreachable';
      const served = this.#storage.served.get(id);
      return served && served.ca.key !== credentials.ca.key ? 'mismatched' : 'admitted';
    });
  }
}
