import type { AllowList } from './addresses.ts';
import type { Caller } from './caller.ts';
import { owns } from './caller.ts';
import { DomainError } from './errors.ts';
import type {
  CertificateChain,
  ClientCredentials,
  Credentials,
  Instance,
  InstanceStorage,
  InstanceStore,
  Sealer,
} from './instance.ts';
import { OWNED } from './instance.ts';
import type {
  CertificateProof,
  CertificateStorage,
  CertifiedInstance,
  CredentialStore,
  InstalledCertificates,
} from './instance-certificates.ts';
import type { InstanceWithCredentials } from './instances.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { Log } from './log.ts';
import { openCredentials, sealCredentials } from './sealed-credentials.ts';
import type { StoredCredentials } from './sealed-credentials.ts';
import { SingleFlight } from './single-flight.ts';
import { findReason } from './volume.ts';
import type { Volume } from './volume.ts';

export interface CertificateAuthority {
  /** A chain of a CA that did not exist before. */
  createChain(instanceId: number): Promise<CertificateChain>;
  /** A chain of the same CA, whose certificate is renewed too. */
  renewChain(instanceId: number, ca: Credentials['ca']): Promise<CertificateChain>;
}

export interface InstanceCredentialsParts {
  store: CredentialStore;
  instances: Pick<InstanceStore, 'find' | 'findCredentials'>;
  allowList: Pick<AllowList, 'admit'>;
  adopted: Pick<InstanceStorage, 'readAdoptedCredentials'>;
  storage: CertificateStorage;
  proof: CertificateProof;
  authority: CertificateAuthority;
  sealer: Sealer;
  volume: Pick<Volume, 'requireSpace'>;
  log: Log;
}

/** A record of credentials, opened. The box is what a change has to find in its place. */
interface OpenRecord {
  box: Buffer;
  stored: StoredCredentials;
}

/**
 * What owners connect with, and how it changes while an instance runs. A change is written to the database first, then made
 * and proven, then written as done. A server that ends anywhere in between finds the change in the record and makes it again;
 * made twice it is the same.
 */
export class InstanceCredentials {
  readonly #parts: InstanceCredentialsParts;
  readonly #lock = new KeyedLock<number>();
  readonly #rotating = new SingleFlight<number, Credentials>();
  #closed = false;

  constructor(parts: InstanceCredentialsParts) {
    this.#parts = parts;
  }

  /** What the owner of the instance connects with. */
  async get(instance: CertifiedInstance): Promise<ClientCredentials> {
    const record = await this.#find(instance.id);
    if (!record) return this.#parts.adopted.readAdoptedCredentials(instance.id);
    // During a renewal both are good. A replacement that was interrupted is finished first: which of the two is good is not
    // known before.
    if (!record.stored.next || !isReplacement(record.stored, record.stored.next)) return record.stored;
    return this.#finish(instance);
  }

  /**
   * Gives the caller's own instance a new CA and new certificates, and makes the old ones useless: the server refuses them,
   * sessions opened with them have ended when it resolves. Joins a replacement that is under way. Throws `not_found`,
   * `not_replaceable` for an instance of Draupnir 5.3, and `firewall_unavailable`. After a failure it can be asked for again.
   */
  async rotate(caller: Caller, id: number, address: string): Promise<InstanceWithCredentials> {
    if (this.#closed) throw new DomainError('shutting_down', 'the server is shutting down');
    const instance = await this.#findOwn(caller, id);
    if (!instance) throw new DomainError('not_found', 'no such instance');
    // First, since it may fail: once the credentials are others, somebody has to be told.
    await this.#parts.allowList.admit(id, address);
    const credentials = await this.#rotating
      .run(id, () => this.#lock.run(id, () => this.#replace(instance)))
      .catch((error: unknown) => this.#explain(id, error));
    return { instance, credentials };
  }

  /**
   * Makes new certificates under the same CA: sessions and credentials that are about go on until they expire. A change that
   * was interrupted is finished instead. Throws `not_found` when the instance is destroyed meanwhile.
   */
  async renew(instance: CertifiedInstance): Promise<void> {
    const work = this.#lock.run(instance.id, async () => {
      const record = await this.#find(instance.id);
      if (!record || this.#closed) return;
      const { authority } = this.#parts;
      const { next } = record.stored;
      if (next) await this.#apply(instance, record, next);
      else await this.#change(instance, record, await authority.renewChain(instance.id, record.stored.ca));
    });
    await work.catch((error: unknown) => this.#explain(instance.id, error));
  }

  /** Finishes a change that was interrupted, if there is one; resolves to what holds then. */
  async #finish(instance: CertifiedInstance): Promise<Credentials> {
    return this.#lock.run(instance.id, async () => {
      const record = await this.#find(instance.id);
      if (!record) throw gone();
      const { next } = record.stored;
      return next ? this.#apply(instance, record, next) : record.stored;
    });
  }

  /** Finishes what an earlier run of the server left half done. */
  async recover(): Promise<void> {
    const { store, sealer, log } = this.#parts;
    for (const { instance, box } of await store.list()) {
      try {
        if (openCredentials(sealer, instance.id, box).next) await this.#finish(instance);
      } catch (error) {
        // The next round of the renewal tries again, and so does whoever asks for the credentials.
        log.error({ instanceId: instance.id, err: error }, 'cannot finish the change of certificates');
      }
    }
  }

  /** Takes no new work; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#lock.settled();
  }

  async #replace(instance: Instance): Promise<Credentials> {
    const record = await this.#find(instance.id);
    if (!record) {
      const hint = 'an instance of Draupnir 5.3 keeps its credentials: destroy it and create another';
      throw new DomainError('not_replaceable', hint);
    }
    // One that was interrupted before has given nobody its credentials; this one takes its place.
    return this.#change(instance, record, await this.#parts.authority.createChain(instance.id));
  }

  /** Writes the intent and makes the change; when that fails, all is as before. */
  async #change(
    instance: CertifiedInstance,
    record: OpenRecord,
    next: CertificateChain,
  ): Promise<Credentials> {
    const { store, sealer, log } = this.#parts;
    const { ca, client } = record.stored;
    const stored = { ca, client, next };
    const intent = { stored, box: sealCredentials(sealer, instance.id, stored) };
    if (!(await store.replace(instance.id, record.box, intent.box))) throw gone();
    return this.#apply(instance, intent, next, async () => {
      await store.replace(instance.id, intent.box, record.box).catch((error: unknown) => {
        // The change will be made later then, as after an end of the server.
        log.error({ instanceId: instance.id, err: error }, 'cannot take back the change of certificates');
      });
    });
  }

  /** Makes the change of a record. `onUndone` is called when it failed and the instance serves what it served before. */
  async #apply(
    instance: CertifiedInstance,
    record: OpenRecord,
    next: CertificateChain,
    onUndone: () => Promise<void> = () => Promise.resolve(),
  ): Promise<Credentials> {
    const { store, sealer, log } = this.#parts;
    const { id } = instance;
    const replaced = isReplacement(record.stored, next);
    let installed: InstalledCertificates;
    try {
      installed = await this.#install(instance, next, replaced ? record.stored : undefined);
    } catch (error) {
      await onUndone();
      throw error;
    }
    // From here on there is no way back: when this fails, the intent stays, and the change is made again.
    await installed.keep({ endSessions: replaced });
    const credentials = { ca: next.ca, client: next.client };
    if (!(await store.replace(id, record.box, sealCredentials(sealer, id, credentials)))) throw gone();
    log.info({ instanceId: id }, replaced ? 'replaced credentials' : 'renewed certificates');
    return credentials;
  }

  /** An instance that does not run takes them when it starts; there is nothing to be proven before. */
  async #install(
    instance: CertifiedInstance,
    next: CertificateChain,
    retired: Credentials | undefined,
  ): Promise<InstalledCertificates> {
    const { storage, proof } = this.#parts;
    const installed = await storage.installCertificates(instance.id, next);
    try {
      if (installed.pid !== undefined) await proof.proveInstalled(instance, next, retired);
      return installed;
    } catch (error) {
      await installed.undo();
      throw error;
    }
  }

  /** Throws why a change failed: when its instance is going away, that is the reason, whatever the error says. */
  async #explain(id: number, error: unknown): Promise<never> {
    const instance = await this.#parts.instances.find(id);
    if (!instance || instance.status === 'destroying') throw gone(error);
    throw await findReason(error, this.#parts.volume);
  }

  async #findOwn(caller: Caller, id: number): Promise<Instance | undefined> {
    const instance = await this.#parts.instances.find(id);
    return instance && owns(caller, instance) && OWNED.includes(instance.status) ? instance : undefined;
  }

  async #find(id: number): Promise<OpenRecord | undefined> {
    const box = await this.#parts.instances.findCredentials(id);
    return box && { box, stored: openCredentials(this.#parts.sealer, id, box) };
  }
}

/** Whether the next chain has another CA: then what was given out before must not work any more. */
function isReplacement(stored: Credentials, next: CertificateChain): boolean {
  return stored.ca.key !== next.ca.key;
}

function gone(cause?: unknown): DomainError {
  return new DomainError('not_found', 'the instance was destroyed meanwhile', { cause });
}
