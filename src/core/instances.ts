import type { AllowList } from './addresses.ts';
import type { Caller } from './caller.ts';
import { owns } from './caller.ts';
import { DomainError } from './errors.ts';
import type { ImageStore } from './image.ts';
import type {
  CertificateChain,
  ClientCredentials,
  Instance,
  InstanceProof,
  InstanceStorage,
  InstanceStore,
  Owner,
  Postmasters,
  PortProbe,
  PortRange,
  Sealer,
} from './instance.ts';
import { NOBODY, OWNED } from './instance.ts';
import { Laps } from './laps.ts';
import type { Limiter } from './limiter.ts';
import type { InstanceCredentials } from './instance-credentials.ts';
import { handOver, make } from './instance-creation.ts';
import { groupByImage } from './instance-owners.ts';
import { InstanceReservations } from './instance-reservations.ts';
import type { Log } from './log.ts';
import type { Meter } from './meter.ts';
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
  meter?: Meter;
  portRange: PortRange;
  /** How many instances of the newest image are made in advance. */
  warmInstances: number;
  /** Called when no creation for a user is under way any more. */
  onIdle?: () => void;
}

/** An instance together with what its owner needs to connect. */
export interface InstanceWithCredentials {
  instance: Instance;
  credentials: ClientCredentials;
}

/** The instances and what can be done with them. To anybody but its owner an instance does not exist. */
export class Instances {
  readonly #parts: InstancesParts;
  /** Creations for users, also those that wait for their turn. */
  readonly #creating = new Set<Promise<unknown>>();
  readonly #reservations: InstanceReservations;
  /** Ids of those whose creation failed and could not be undone: their record may say that they are ready, and nobody was told. */
  readonly #unwanted = new Set<number>();
  readonly #destroying = new SingleFlight<number, void>();
  /** The creation that is for nobody yet, if one is under way. */
  #warming: Promise<unknown> | undefined;
  #closed = false;

  constructor(parts: InstancesParts) {
    this.#parts = parts;
    this.#reservations = new InstanceReservations(parts, {
      isUnwanted: (id) => this.#unwanted.has(id),
      destroy: (id) => this.#destroy(id),
      findWarming: () => this.#warming,
    });
  }

  /** Whether somebody waits for an instance. */
  get isBusy(): boolean {
    return this.#creating.size > 0;
  }

  async list(caller: Caller): Promise<Instance[]> {
    const instances = await this.#parts.store.listByOwner(caller.email);
    return instances.filter((instance) => owns(caller, instance));
  }

  /** All that users have, by image. Throws `forbidden`. */
  async groupByImage(caller: Caller): Promise<Map<number, Instance[]>> {
    return groupByImage(caller, await this.#parts.store.list());
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
    this.#requireOpen();
    if (caller.email === NOBODY) throw new DomainError('unauthorized', 'no trusted token');
    const { email: userEmail, sessionId } = caller;
    const owner = { userEmail, ...(sessionId !== undefined && { sessionId }) };
    const creating = this.#parts.limiter.run(() => this.#create(owner, imageId, address));
    this.#creating.add(creating);
    creating.catch((error: unknown) => {
      this.#parts.meter?.instanceNotCreated(error instanceof DomainError ? error.kind : 'internal');
    });
    return creating.finally(() => {
      this.#creating.delete(creating);
      if (!this.isBusy) this.#parts.onIdle?.();
    });
  }

  /**
   * Makes an instance of a ready image that waits for whoever asks for one; nobody is let in to it before. To be called once
   * at a time. Takes no turn from a user: it counts among no others. Throws as `create` does.
   */
  async createWarm(imageId: number): Promise<void> {
    this.#requireOpen();
    const warming = this.#create({ userEmail: NOBODY }, imageId);
    this.#warming = warming;
    await warming.finally(() => (this.#warming = undefined));
  }

  /** Destroys an instance that waits for an owner; one that has got an owner stays. */
  async retireWarm(id: number): Promise<void> {
    if (!(await this.#parts.store.retireWarm(id))) return;
    await this.#destroy(id);
    this.#parts.log.info({ instanceId: id }, 'destroyed warm instance');
  }

  /**
   * Destroys the caller's own instance; the upload user may destroy any. Joins a destruction that is under way, and takes
   * up one that failed. Throws `not_found`.
   */
  async destroy(caller: Caller, id: number): Promise<void> {
    const instance = await this.#parts.store.find(id);
    const own = instance && owns(caller, instance) && instance.status !== 'creating';
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
      .filter((instance) => owns({ email: userEmail }, instance) && instance.status !== 'creating')
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
      const orphaned = status === 'creating' && !this.#reservations.mayHold(id);
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
    await Promise.allSettled([...this.#creating, this.#warming]);
    await this.#destroying.settled();
  }

  #requireOpen(): void {
    if (this.#closed) throw new DomainError('shutting_down', 'the server is shutting down');
  }

  /** Without an address nobody is let in. */
  async #create(owner: Owner, imageId: number, address?: string): Promise<InstanceWithCredentials> {
    const { images, allowList, log } = this.#parts;
    const laps = new Laps();
    await this.#parts.volume.requireSpace();
    const image = await images.find(imageId);
    if (!image || image.status === 'destroying') {
      throw new DomainError('image_not_found', 'no such image');
    }
    if (image.status !== 'ready') throw new DomainError('image_not_ready', 'the image is not ready');
    await allowList.require();

    const { record, warm } = await this.#reservations.reserve(owner, imageId);
    laps.end('reserve');
    const { id, port } = record;
    try {
      const created = await (warm ? handOver : make)(this.#parts, record, address, laps);
      const { totalMs: durationMs, parts } = laps;
      const message = owner.userEmail === NOBODY ? 'created warm instance' : 'created instance';
      log.info({ instanceId: id, imageId, port, ...(warm && { warm }), durationMs, parts }, message);
      if (owner.userEmail !== NOBODY) this.#parts.meter?.instanceCreated(durationMs, warm);
      return created;
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
      this.#reservations.release(id);
    }
  }

  async #getOwn(caller: Caller, id: number): Promise<Instance> {
    const instance = await this.#parts.store.find(id);
    if (!instance || !owns(caller, instance) || !OWNED.includes(instance.status)) {
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
