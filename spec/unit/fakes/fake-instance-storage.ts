import type {
  CertificateChain,
  ClientCredentials,
  Instance,
  InstanceStorage,
  StartedInstance,
} from '../../../src/core/instance.ts';
import type { Steps } from './steps.ts';

/** Process id of every fake postmaster. */
export const FAKE_PID = 4711;

/** Instances on an imaginary disk. Steps: `disk.<method>`, and `process.open` and `process.abandon` of a started one. */
export class FakeInstanceStorage implements InstanceStorage {
  /** What is on disk, and whether the world is let in. */
  readonly existing = new Map<number, 'closed' | 'open'>();
  readonly chains: CertificateChain[] = [];
  readonly started: number[] = [];
  readonly #steps: Steps;
  /** Creations whose script still runs; a destruction waits for its end, as the lock of the scripts makes it. */
  readonly #creating = new Map<number, PromiseWithResolvers<undefined>>();

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  async createInstance(
    instance: Pick<Instance, 'id'>,
    issuing: Promise<CertificateChain>,
  ): Promise<StartedInstance> {
    const { id } = instance;
    const chain = await issuing;
    const made = await this.#steps.run('disk.createInstance', () => {
      this.existing.set(id, 'closed');
      this.chains.push(chain);
      return {
        pid: FAKE_PID,
        open: async () => {
          await this.#steps.run('process.open', () => this.existing.set(id, 'open'));
          this.#creating.get(id)?.resolve(undefined);
        },
        abandon: async () => {
          this.#creating.get(id)?.resolve(undefined);
          await this.#steps.run('process.abandon', () => this.existing.delete(id));
          return undefined;
        },
      };
    });
    this.#creating.set(id, Promise.withResolvers<undefined>());
    return made;
  }

  /** What an abandoned start gives as its reason. */
  reason: string | undefined;

  startInstance(id: number): Promise<StartedInstance | { pid: number }> {
    return this.#steps.run(`disk.startInstance ${id}`, () => {
      if (this.existing.get(id) === 'open') return { pid: FAKE_PID };
      this.started.push(id);
      this.existing.set(id, 'closed');
      return {
        pid: FAKE_PID,
        open: () => this.#steps.run('process.open', () => void this.existing.set(id, 'open')),
        abandon: () => this.#steps.run('process.abandon', () => this.reason),
      };
    });
  }

  readAdoptedCredentials(id: number): Promise<ClientCredentials> {
    return this.#steps.run('disk.readAdoptedCredentials', () => {
      if (!this.existing.has(id)) throw new Error(`no instance ${id} on disk`);
      return { ca: { certificate: 'adopted ca' }, client: { certificate: 'adopted', key: 'adopted key' } };
    });
  }

  async destroyInstance(id: number): Promise<void> {
    await this.#steps.run('disk.destroyInstance', () => undefined);
    await this.#creating.get(id)?.promise;
    this.existing.delete(id);
  }
}
