import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from './errors.ts';
import { OWNED } from './instance.ts';
import type { Instance } from './instance.ts';
import type { InstancesParts } from './instances.ts';
import { Limiter } from './limiter.ts';
import { openCredentials } from './sealed-credentials.ts';
import { findReason, isOfVolume } from './volume.ts';

export type SupervisorParts = Pick<
  InstancesParts,
  'store' | 'storage' | 'proof' | 'postmasters' | 'volume' | 'allowList' | 'sealer' | 'log' | 'meter'
>;

/** Waits before an instance is started again, in milliseconds: twice as long after each attempt, up to the longest. */
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 5 * 60_000;
/** Wait, in milliseconds, when it is not the instance's fault but the volume is full: it has to be back soon after that is mended. */
const VOLUME_DELAY_MS = 4000;
/** Attempts in a row after which an instance counts as failed. */
const MAX_ATTEMPTS = 5;
/** One whose last start is longer ago than this, in milliseconds, has run well since. */
const RECOVERED_MS = LONGEST_DELAY_MS + 60_000;
/** Instances that are started at once, after a reboot for example. */
const CONCURRENCY = 4;
/** How long a round waits for its instances, in milliseconds. */
const PATIENCE_MS = 5000;

/** How the starts of one instance went lately. */
interface History {
  /** In a row, none of which lasted. */
  attempts: number;
  /** When the last one was made, on the clock of `now`. */
  lastAt: number;
  /** Whether the volume kept the last one from succeeding. */
  ofVolume: boolean;
}

/** Keeps the Postgres of every instance running: one that has ended is started again, ever more slowly if that does not last. */
export class InstanceSupervisor {
  readonly #parts: SupervisorParts;
  readonly #now: () => number;
  readonly #patienceMs: number;
  readonly #histories = new Map<number, History>();
  readonly #limiter = new Limiter({ concurrency: CONCURRENCY, queueLength: Number.MAX_SAFE_INTEGER });
  /** Ids of those that a round is at. */
  readonly #checking = new Set<number>();

  /** `now`: a clock in milliseconds that never goes back; `patienceMs`: how long a round waits for its instances. */
  constructor(
    parts: SupervisorParts,
    now: () => number = () => performance.now(),
    patienceMs: number = PATIENCE_MS,
  ) {
    this.#parts = parts;
    this.#now = now;
    this.#patienceMs = patienceMs;
  }

  /**
   * One round over all instances. Does not wait for one that takes long, whose owner may want that: the next rounds leave it out
   * until it has come to an end. Begins no more work once the signal fires. Throws `storage_unavailable`.
   */
  async run(signal?: AbortSignal): Promise<void> {
    await this.#parts.volume.requireMounted();
    const instances = (await this.#parts.store.list()).filter(
      ({ status, portTaken }) => OWNED.includes(status) && !portTaken,
    );
    this.#forgetAllBut(new Set(instances.map(({ id }) => id)));
    const checks = instances
      .filter(({ id }) => !this.#checking.has(id))
      .map(async (instance) => {
        this.#checking.add(instance.id);
        await this.#check(instance, signal).finally(() => this.#checking.delete(instance.id));
      });
    const timer = new AbortController();
    const patience = delay(this.#patienceMs, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([Promise.all(checks), patience]).finally(() => timer.abort());
  }

  async #check(instance: Instance, signal: AbortSignal | undefined): Promise<void> {
    const { store, postmasters, log } = this.#parts;
    const { id, status } = instance;
    try {
      if (await postmasters.isAlive(id)) {
        if (status !== 'ready') await store.transition(id, ['stopped', 'failed'], 'ready');
      } else if (this.#isDue(id) && (await this.#isGuarded())) {
        await this.#limiter.run(async () => {
          if (!signal?.aborted) await this.#start(instance);
        });
      }
    } catch (error) {
      // The trouble of one must not keep the others waiting.
      log.error({ instanceId: id, err: error }, 'cannot supervise instance');
    }
  }

  async #start({ id, port }: Instance): Promise<void> {
    const { store, storage, proof, postmasters, volume, log } = this.#parts;
    const attempts = this.#countAttempt(id);
    try {
      const process = await storage.startInstance(id);
      if ('open' in process) {
        try {
          await proof.prove({ id, port }, await this.#getCredentials(id), process);
          await process.open();
        } catch (error) {
          const reason = await process.abandon();
          throw reason === undefined ? error : new DomainError('instance_failed', reason, { cause: error });
        }
        log.info({ instanceId: id, attempts }, 'started instance');
        this.#parts.meter?.instanceRestarted();
      }
      await postmasters.remember(id, process.pid);
      await store.transition(id, ['stopped', 'failed'], 'ready');
    } catch (failure) {
      const error = await findReason(failure, volume);
      const ofVolume = isOfVolume(error);
      if (ofVolume) this.#histories.set(id, { attempts, lastAt: this.#now(), ofVolume });
      const reason = error instanceof DomainError ? error.message : 'Postgres did not come up';
      const status = ofVolume || attempts < MAX_ATTEMPTS ? 'stopped' : 'failed';
      // It may be going away meanwhile; then nobody asks any more.
      if (await store.transition(id, OWNED, status, reason)) {
        log.warn({ instanceId: id, attempts, reason, err: error }, 'instance cannot be started');
      }
    }
  }

  /** A port opens to the world: not before the firewall stands, which tells itself why it does not. */
  async #isGuarded(): Promise<boolean> {
    return this.#parts.allowList.require().then(
      () => true,
      () => false,
    );
  }

  async #getCredentials(id: number) {
    const box = await this.#parts.store.findCredentials(id);
    if (!box) throw new Error(`instance ${id} has no credentials`);
    try {
      return openCredentials(this.#parts.sealer, id, box);
    } catch (cause) {
      const reason = 'its credentials cannot be opened: is the encryption key that of the database?';
      throw new DomainError('instance_failed', reason, { cause });
    }
  }

  #isDue(id: number): boolean {
    const history = this.#histories.get(id);
    if (!history) return true;
    const growingMs = Math.min(FIRST_DELAY_MS * 2 ** (history.attempts - 1), LONGEST_DELAY_MS);
    const delayMs = history.ofVolume ? VOLUME_DELAY_MS : growingMs;
    return this.#now() >= history.lastAt + delayMs;
  }

  #countAttempt(id: number): number {
    const now = this.#now();
    const history = this.#histories.get(id);
    const inARow = history !== undefined && !history.ofVolume && now < history.lastAt + RECOVERED_MS;
    const attempts = inARow ? history.attempts + 1 : 1;
    this.#histories.set(id, { attempts, lastAt: now, ofVolume: false });
    return attempts;
  }

  #forgetAllBut(ids: ReadonlySet<number>): void {
    for (const id of this.#histories.keys()) {
      if (!ids.has(id)) this.#histories.delete(id);
    }
  }
}
