import type { Instance, SharedPortStore } from './instance.ts';
import type { Log } from './log.ts';
import type { Volume } from './volume.ts';

/** What Draupnir 5.3 has left on the volume and as processes. */
export interface LegacyStorage {
  /**
   * Makes its folders root's, and its uploads that are not finalised the upload user's. May be done twice.
   */
  adoptData(): Promise<void>;
  /** Whether the Postgres that listens on the port of an instance of 5.3 is its own. */
  answers(instance: Instance): Promise<boolean>;
}

export interface LegacyDataParts {
  store: SharedPortStore;
  storage: LegacyStorage;
  volume: Pick<Volume, 'requireMounted'>;
  log: Log;
}

/** Takes over what Draupnir 5.3 has left. */
export class LegacyData {
  readonly #parts: LegacyDataParts;
  #adopted = false;

  constructor(parts: LegacyDataParts) {
    this.#parts = parts;
  }

  /**
   * Does what is left to do, which for most installations is nothing. Throws `storage_unavailable`; to be
   * tried again then.
   */
  async run(): Promise<void> {
    const { store, storage, volume } = this.#parts;
    if (!this.#adopted) {
      await volume.requireMounted();
      await storage.adoptData();
      this.#adopted = true;
    }
    for (const group of await store.listSharedPorts()) {
      // Without the volume no instance could prove who it is.
      await volume.requireMounted();
      await this.#settle(group);
    }
  }

  /** Two creations of 5.3 at once could pick the same port: the instance that answers there holds it. */
  async #settle(group: readonly Instance[]): Promise<void> {
    const { store, log } = this.#parts;
    const holder =
      (await this.#findAnswering(group)) ?? group.find(({ portTaken }) => !portTaken) ?? group[0];
    if (!holder) return;
    const { port } = holder;
    const failure = `port ${port} belongs to instance ${holder.id}: destroy this one and create another`;
    await store.assignPort(port, holder.id, failure);
    for (const { id } of group) {
      if (id === holder.id) continue;
      const hint = 'destroy it with the shared secret: draupnir instances destroy ID';
      log.warn({ instanceId: id, port, holder: holder.id, hint }, 'port belongs to another instance');
    }
  }

  async #findAnswering(group: readonly Instance[]): Promise<Instance | undefined> {
    for (const instance of group) if (await this.#parts.storage.answers(instance)) return instance;
    return undefined;
  }
}
