import { DomainError } from './errors.ts';
import type { Instance, InstanceStore, Owner, Postmasters, PortProbe, PortRange } from './instance.ts';
import { NOBODY } from './instance.ts';
import type { Log } from './log.ts';

export interface ReservationParts {
  store: Pick<InstanceStore, 'insert' | 'delete' | 'listWarm' | 'claimWarm' | 'retireWarm'>;
  ports: PortProbe;
  postmasters: Pick<Postmasters, 'isAlive'>;
  log: Log;
  portRange: PortRange;
  /** How many instances are made in advance; with 0 nobody looks for one. */
  warmInstances: number;
}

/** What a reservation asks of those who make and destroy instances. */
export interface ReservationRules {
  /** Whether an instance is to be handed out to nobody. */
  isUnwanted: (id: number) => boolean;
  destroy: (id: number) => Promise<void>;
  /** The instance that is being made in advance, if there is one. */
  findWarming: () => Promise<unknown> | undefined;
}

/** A record that belongs to one creation until it is released. */
export interface Reservation {
  record: Instance;
  /** Whether the instance is there already, made in advance. */
  warm: boolean;
}

/** Where creations get their records: from what was made in advance, or new ones with a port that nobody uses. */
export class InstanceReservations {
  readonly #parts: ReservationParts;
  readonly #rules: ReservationRules;
  /** Ids of the creations under way that have one already, and how many do not yet. */
  readonly #ids = new Set<number>();
  #reserving = 0;

  constructor(parts: ReservationParts, rules: ReservationRules) {
    this.#parts = parts;
    this.#rules = rules;
  }

  /** Whether a creation under way may be at this record. */
  mayHold(id: number): boolean {
    return this.#reserving > 0 || this.#ids.has(id);
  }

  release(id: number): void {
    this.#ids.delete(id);
  }

  /** Gets a record in state `creating`. An owner gets an instance made in advance if there is one; throws as `insert` does. */
  async reserve(owner: Owner, imageId: number): Promise<Reservation> {
    const avoid = new Set<number>();
    for (;;) {
      const warm = await this.#claim(owner, imageId);
      if (warm) return { record: warm, warm: true };
      try {
        return { record: await this.#insert(owner, imageId, avoid), warm: false };
      } catch (error) {
        const full = error instanceof DomainError && error.kind === 'no_free_port';
        // Each round ends with one instance less that has no owner, and none is begun while an owner waits.
        if (!full || owner.userEmail === NOBODY || !(await this.#freePort())) throw error;
      }
    }
  }

  async #claim(owner: Owner, imageId: number): Promise<Instance | undefined> {
    const { store, postmasters, warmInstances } = this.#parts;
    if (warmInstances === 0 || owner.userEmail === NOBODY) return undefined;
    const ids: number[] = [];
    for (const { id, status } of await store.listWarm()) {
      if (status !== 'ready') continue;
      if (this.#ids.has(id) || this.#rules.isUnwanted(id)) continue;
      // One that has died, or was not looked at since the server started, is about to be taken up by the supervisor.
      if (await postmasters.isAlive(id)) ids.push(id);
    }
    return ids.length === 0 ? undefined : this.#hold(() => store.claimWarm(imageId, ids, owner));
  }

  /** Makes a record with a port nobody uses: free in the table, and on this host. Adds to `avoid` what strangers have. */
  async #insert(owner: Owner, imageId: number, avoid: Set<number>): Promise<Instance> {
    const { store, ports, portRange } = this.#parts;
    for (;;) {
      const record = await this.#hold(() => store.insert({ imageId, ...owner }, portRange, avoid));
      const drop = async (): Promise<void> => {
        this.release(record.id);
        await store.delete(record.id);
      };
      const free = await ports.isFree(record.port).catch(async (error: unknown) => {
        await drop();
        throw error;
      });
      if (free) return record;
      avoid.add(record.port);
      await drop();
    }
  }

  /** Lets an instance that has no owner go, so that its port is free. False when there is none that can. */
  async #freePort(): Promise<boolean> {
    const { store, log } = this.#parts;
    const warming = this.#rules.findWarming();
    if (warming) {
      await warming.catch(() => undefined);
      return true;
    }
    for (const { id, status } of await store.listWarm()) {
      // One that is going away already is waited for.
      if (status !== 'destroying' && !(await store.retireWarm(id))) continue;
      try {
        await this.#rules.destroy(id);
        log.info({ instanceId: id }, 'destroyed warm instance for its port');
        return true;
      } catch (error) {
        log.error({ instanceId: id, err: error }, 'cannot destroy warm instance for its port');
      }
    }
    return false;
  }

  async #hold<Found extends Instance | undefined>(find: () => Promise<Found>): Promise<Found> {
    this.#reserving++;
    try {
      const record = await find();
      if (record) this.#ids.add(record.id);
      return record;
    } finally {
      this.#reserving--;
    }
  }
}
