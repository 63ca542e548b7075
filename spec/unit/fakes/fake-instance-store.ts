import { DomainError } from '../../../src/core/errors.ts';
import { NOBODY, OWNED } from '../../../src/core/instance.ts';
import type {
  Instance,
  InstanceStatus,
  InstanceStore,
  Owner,
  PortRange,
} from '../../../src/core/instance.ts';
import type { Steps } from './steps.ts';

const CREATED = new Date('2017-05-01T16:00:00Z');

/** Instances in memory; ports are given out from the lowest. Steps: `instances.<method>`. */
export class FakeInstanceStore implements InstanceStore {
  readonly rows = new Map<number, Instance>();
  readonly credentials = new Map<number, Buffer>();
  readonly #steps: Steps;
  #lastId = 0;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  /** Puts a row there, past all rules; its id. */
  add(instance: { imageId: number; userEmail: string; status: InstanceStatus; port?: number }): number {
    const id = ++this.#lastId;
    this.rows.set(id, {
      port: 5000 + id,
      ...instance,
      id,
      createdAt: CREATED,
      updatedAt: CREATED,
      failure: undefined,
    });
    return id;
  }

  insert(
    instance: { imageId: number; userEmail: string },
    range: PortRange,
    avoid: ReadonlySet<number>,
  ): Promise<Instance> {
    return this.#steps.run('instances.insert', () => {
      const used = new Set([...this.rows.values()].map((row) => row.port));
      for (let port = range.min; port < range.max; port++) {
        if (!used.has(port) && !avoid.has(port)) {
          return this.#get(this.add({ ...instance, status: 'creating', port }));
        }
      }
      throw new DomainError('no_free_port', `all ports from ${range.min} to ${range.max - 1} are taken`);
    });
  }

  find(id: number): Promise<Instance | undefined> {
    return this.#steps.run('instances.find', () => this.rows.get(id));
  }

  listByOwner(userEmail: string): Promise<Instance[]> {
    return this.#steps.run('instances.listByOwner', () =>
      [...this.rows.values()].filter((row) => row.userEmail === userEmail && OWNED.includes(row.status)),
    );
  }

  listByImage(imageId: number): Promise<Instance[]> {
    return this.#steps.run('instances.listByImage', () =>
      [...this.rows.values()].filter((row) => row.imageId === imageId),
    );
  }

  list(): Promise<Instance[]> {
    return this.#steps.run('instances.list', () => [...this.rows.values()]);
  }

  listWarm(): Promise<Instance[]> {
    return this.#steps.run('instances.listWarm', () =>
      [...this.rows.values()].filter((row) => this.#isWarm(row) && row.status !== 'creating'),
    );
  }

  claimWarm(imageId: number, ids: readonly number[], owner: Owner): Promise<Instance | undefined> {
    return this.#steps.run('instances.claimWarm', () => {
      const found = [...this.rows.values()].find(
        (row) =>
          ids.includes(row.id) && row.imageId === imageId && row.status === 'ready' && this.#isWarm(row),
      );
      if (!found) return undefined;
      this.rows.set(found.id, { ...found, userEmail: owner.userEmail, status: 'creating' });
      return this.#get(found.id);
    });
  }

  retireWarm(id: number): Promise<boolean> {
    return this.#steps.run('instances.retireWarm', () => {
      const row = this.rows.get(id);
      if (!row || !this.#isWarm(row) || !OWNED.includes(row.status)) return false;
      this.rows.set(id, { ...row, status: 'destroying' });
      return true;
    });
  }

  open(id: number, credentials?: Buffer): Promise<Instance> {
    return this.#steps.run('instances.open', () => {
      const row = this.rows.get(id);
      if (row?.status !== 'creating') throw new DomainError('image_not_ready', 'destroyed meanwhile');
      this.rows.set(id, { ...row, status: 'ready' });
      if (credentials) this.credentials.set(id, credentials);
      return this.#get(id);
    });
  }

  findCredentials(id: number): Promise<Buffer | undefined> {
    return this.#steps.run('instances.findCredentials', () => this.credentials.get(id));
  }

  transition(
    id: number,
    from: readonly InstanceStatus[],
    to: InstanceStatus,
    failure?: string,
  ): Promise<boolean> {
    return this.#steps.run(`instances.transition ${to}`, () => {
      const row = this.rows.get(id);
      if (!row || !from.includes(row.status)) return false;
      this.rows.set(id, { ...row, status: to, failure });
      return true;
    });
  }

  delete(id: number): Promise<void> {
    return this.#steps.run('instances.delete', () => {
      this.rows.delete(id);
      this.credentials.delete(id);
    });
  }

  #isWarm({ id, userEmail }: Instance): boolean {
    return userEmail === NOBODY && this.credentials.has(id);
  }

  #get(id: number): Instance {
    const row = this.rows.get(id);
    if (!row) throw new Error(`instance ${id} has no record`);
    return row;
  }
}
