import type { AllowList } from './addresses.ts';
import type { Caller } from './caller.ts';
import { DomainError } from './errors.ts';
import type { ImageStore } from './image.ts';
import type {
  CertificateChain,
  ClientCredentials,
  Instance,
  InstanceProof,
  InstanceStorage,
  InstanceStore,
  Postmasters,
  PortProbe,
  PortRange,
  Sealer,
} from './instance.ts';
import { OWNED } from './instance.ts';
import { Laps } from './laps.ts';
import type { Limiter } from './limiter.ts';
import type { InstanceCredentials } from './instance-credentials.ts';
import type { Log } from './log.ts';
import { sealCredentials } from './sealed-credentials.ts';
import { SingleFlight } from './single-flight.ts';
import { findReason, isOfVolume } from './volume.ts';
import type { Volume } from './volume.ts';

export interface InstancesParts {
  store: InstanceStore;
  images: Pick<ImageStore, 'find'>;
  allowList: AllowList;
  storage: InstanceStorage;
  proof: InstanceProof;
  credentials: Pick<InstanceCredentials, 'get'>;
  ports: PortProbe;
  postmasters: Postmasters;
  volume: Volume;
  /** Bounds how many creations run at once. */
  limiter: Limiter;
  sealer: Sealer;
  issueCertificates: (instanceId: number) => Promise<CertificateChain>;
  log: Log;
  portRange: PortRange;
}

/** An instance together with what its owner needs to connect. */
export interface InstanceWithCredentials {
  instance: Instance;
  credentials: ClientCredentials;
}

/** The instances and what can be done with them. To anybody but its owner an instance does not exist. */
export class Instances {
  readonly #parts: InstancesParts;
  readonly #creating = new Set<Promise<unknown>>();
  /** Ids of the creations under way that have one already, and how many do not yet. */
  readonly #created = new Set<number>();
  /** Ids of those whose creation failed and could not be undone: their record may say that they are ready, and nobody was told. */
  readonly #unwanted = new Set<number>();
  #reserving = 0;
  readonly #destroying = new SingleFlight<number, void>();
  #closed = false;

  constructor(parts: InstancesParts) {
    this.#parts = parts;
  }

  list(caller: Caller): Promise<Instance[]> {
    return this.#parts.store.listByOwner(caller.email);
  }

  /** The caller's own instance; lets the caller's address in. Throws `not_found`, `firewall_unavailable`. */
  async get(caller: Caller, id: number, address: string): Promise<InstanceWithCredentials> {
    const instance = await this.#getOwn(caller, id);
    const credentials = await this.#parts.credentials.get(instance);
    await this.#parts.allowList.admit(id, address);
    return { instance, credentials };
  }

  /**
   * Makes an instance of a ready image; when it resolves, the database takes connections with the credentials, and
   * refuses all others. Throws `image_not_found`, `image_not_ready`, `no_free_port`, `insufficient_disk`, `too_busy`,
   * `firewall_unavailable`. A failure leaves nothing behind.
   */
  async create(caller: Caller, imageId: number, address: string): Promise<InstanceWithCredentials> {
    if (this.#closed) throw new DomainError('shutting_down', 'the server is shutting down');
    const creating = this.#parts.limiter.run(() => this.#create(caller, imageId, address));
    this.#creating.add(creating);
    return creating.finally(() => this.#creating.delete(creating));
  }

  /**
   * Destroys the caller's own instance; the upload user may destroy any. Joins a destruction that is under way, and takes
   * up one that failed. Throws `not_found`.
   */
  async destroy(caller: Caller, id: number): Promise<void> {
    const instance = await this.#parts.store.find(id);
    const own = instance?.userEmail === caller.email && instance.status !== 'creating';
    if (!instance || (caller.role !== 'upload' && !own)) {
      throw new DomainError('not_found', 'no such instance');
    }
    await this.#destroy(id);
    this.#parts.log.info({ instanceId: id }, 'destroyed instance');
  }

  /** Destroys all instances of an image, whatever state they are in. */
  async destroyAllOf(imageId: number): Promise<void> {
    const instances = await this.#parts.store.listByImage(imageId);
    await Promise.all(instances.map((instance) => this.#destroy(instance.id)));
  }

  /**
   * Destroys all instances of an owner but those still being created; resolves to their ids. When one fails the others go
   * nevertheless, then it throws.
   */
  async destroyAllOwnedBy(userEmail: string): Promise<number[]> {
    const instances = await this.#parts.store.list();
    const ids = instances
      .filter((instance) => instance.userEmail === userEmail && instance.status !== 'creating')
      .map((instance) => instance.id);
    const outcomes = await Promise.allSettled(ids.map((id) => this.#destroy(id)));
    const errors = outcomes
      .filter((outcome) => outcome.status === 'rejected')
      .map(({ reason }) => reason as unknown);
    if (errors.length > 0) {
      throw new Error(`${errors.length} of ${ids.length} instances could not be destroyed`, {
        cause: errors[0],
      });
    }
    return ids;
  }

  /**
   * Finishes what was left half done, by an earlier run of the server or by a step that failed: nobody was told of instances
   * still being created, so they go. May run at any time.
   */
  async reconcile(): Promise<void> {
    const { store, log } = this.#parts;
    for (const { id, status } of await store.list()) {
      const orphaned = status === 'creating' && this.#reserving === 0 && !this.#created.has(id);
      const abandoned = status === 'destroying' && !this.#destroying.has(id);
      if (!orphaned && !abandoned && !this.#unwanted.has(id)) continue;
      try {
        // What was read may be old: one that has become ready meanwhile stays.
        if (await store.transition(id, [status], 'destroying')) {
          await this.#destroy(id);
          this.#unwanted.delete(id);
          log.info({ instanceId: id }, 'removed unfinished instance');
        }
      } catch (error) {
        // One that cannot be put in order must not keep the others waiting.
        log.error({ instanceId: id, err: error }, 'cannot put instance in order');
      }
    }
  }

  /** Takes no new work; resolves when creations and destructions under way have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#creating);
    await this.#destroying.settled();
  }

  async #create(caller: Caller, imageId: number, address: string): Promise<InstanceWithCredentials> {
    const { store, images, allowList, storage, proof, sealer, issueCertificates, log } = this.#parts;
    const laps = new Laps();
    await this.#parts.volume.requireSpace();
    const image = await images.find(imageId);
    if (!image || image.status === 'destroying') {
      throw new DomainError('image_not_found', 'no such image');
    }
    if (image.status !== 'ready') throw new DomainError('image_not_ready', 'the image is not ready');
    await allowList.require();

    const record = await this.#reserve(caller, imageId);
    laps.end('reserve');
    const { id, port } = record;
    try {
      const chain = await issueCertificates(id);
      laps.end('certify');
      const process = await storage.createInstance(record, chain);
      laps.end('start');
      try {
        // The firewall's transaction takes about as long as the proof.
        await Promise.all([proof.prove(record, chain, process), allowList.admit(id, address)]);
        laps.end('prove');
        await process.open();
      } catch (error) {
        await process.abandon();
        throw error;
      }
      await this.#parts.postmasters.remember(id, process.pid);
      const credentials = { ca: chain.ca, client: chain.client };
      const instance = await store.open(id, sealCredentials(sealer, id, credentials));
      laps.end('open');
      const { totalMs: durationMs, parts } = laps;
      log.info({ instanceId: id, imageId, port, durationMs, parts }, 'created instance');
      return { instance, credentials };
    } catch (error) {
      // Asked before room is made by what is removed.
      const reason = await findReason(error, this.#parts.volume);
      if (isOfVolume(reason))
        log.warn({ instanceId: id, err: error }, 'the volume keeps from creating instance');
      await this.#discard(id, error).catch((cause: unknown) => {
        // The record stays; the next round of the reconciler takes it up.
        this.#unwanted.add(id);
        log.error({ instanceId: id, err: cause }, 'cannot remove unfinished instance');
      });
      throw reason;
    } finally {
      this.#created.delete(id);
    }
  }

  /** Makes the record with a port nobody uses: free in the table, and on this host. */
  async #reserve(caller: Caller, imageId: number): Promise<Instance> {
    const { store, ports, portRange } = this.#parts;
    const taken = new Set<number>();
    for (;;) {
      const owner = {
        userEmail: caller.email,
        ...(caller.sessionId !== undefined && { sessionId: caller.sessionId }),
      };
      const record = await this.#insert(() => store.insert({ imageId, ...owner }, portRange, taken));
      const drop = async (): Promise<void> => {
        this.#created.delete(record.id);
        await store.delete(record.id);
      };
      const free = await ports.isFree(record.port).catch(async (error: unknown) => {
        await drop();
        throw error;
      });
      if (free) return record;
      taken.add(record.port);
      await drop();
    }
  }

  async #insert(insert: () => Promise<Instance>): Promise<Instance> {
    this.#reserving++;
    try {
      const record = await insert();
      this.#created.add(record.id);
      return record;
    } finally {
      this.#reserving--;
    }
  }

  async #getOwn(caller: Caller, id: number): Promise<Instance> {
    const instance = await this.#parts.store.find(id);
    if (instance?.userEmail !== caller.email || !OWNED.includes(instance.status)) {
      throw new DomainError('not_found', 'no such instance');
    }
    return instance;
  }

  /** Removes a record whose creation failed, and what may exist of it; under an id that is occupied nothing is ours. */
  #discard(id: number, error: unknown): Promise<void> {
    const occupied = error instanceof DomainError && error.kind === 'id_occupied';
    return occupied ? this.#parts.store.delete(id) : this.#destroy(id);
  }

  #destroy(id: number): Promise<void> {
    return this.#destroying.run(id, async () => {
      const { store, storage, postmasters, allowList, volume } = this.#parts;
      if (!(await store.transition(id, ['creating', ...OWNED, 'destroying'], 'destroying'))) return;
      postmasters.forget(id);
      // Disk first, row last: a row without disk can be destroyed again, disk without a row would be forgotten.
      await storage.destroyInstance(id).catch(async (error: unknown) => {
        throw await findReason(error, volume);
      });
      await store.delete(id);
      await allowList.withdraw();
    });
  }
}
