import { DomainError, type ErrorKind } from '../core/errors.ts';
import type { Image, ImageStore } from '../core/image.ts';
import type { InstanceStore } from '../core/instance.ts';
import type { Instances } from '../core/instances.ts';
import type { Log } from '../core/log.ts';

export interface WarmFillerParts {
  images: Pick<ImageStore, 'list'>;
  store: Pick<InstanceStore, 'listWarm'>;
  instances: Pick<Instances, 'createWarm' | 'retireWarm' | 'isBusy'>;
  log: Log;
  /** How many instances of the newest image wait for an owner. */
  count: number;
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
}

/** What passes by itself, or keeps users from having instances too, and is told there. */
const PASSING: readonly ErrorKind[] = [
  'no_free_port',
  'image_not_found',
  'image_not_ready',
  'insufficient_disk',
  'storage_unavailable',
  'firewall_unavailable',
  'shutting_down',
];

/** Waits after a failure, in milliseconds: twice as long after each one in a row, up to the longest. */
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 5 * 60_000;

/** Keeps instances of the newest image ready for whoever asks next, and removes those that nobody will ask for. */
export class WarmFiller {
  readonly #parts: WarmFillerParts;
  readonly #now: () => number;
  /** Nothing is left of a time when instances were made in advance. */
  #cleared = false;
  /** Why none could be made the last time, if that was told. */
  #reason: ErrorKind | undefined;
  #failures = 0;
  #notBefore = -Infinity;

  constructor(parts: WarmFillerParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
  }

  /** One round. Makes one instance at a time, and none while a user waits for his. Ends early when the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { images, store, instances, count } = this.#parts;
    if (this.#cleared) return;
    const newest = count > 0 ? findNewest(await images.list()) : undefined;
    const warm = (await store.listWarm()).filter(({ status }) => status !== 'destroying');
    if (count === 0 && warm.length === 0) this.#cleared = true;
    // One that could not be started again many times makes room for another.
    const kept = warm
      .filter(({ imageId, status }) => imageId === newest?.id && status !== 'failed')
      .slice(0, count);
    for (const instance of warm) {
      if (signal.aborted) return;
      if (!kept.includes(instance)) await instances.retireWarm(instance.id);
    }
    for (let missing = newest ? count - kept.length : 0; newest && missing > 0; missing--) {
      if (!(await this.#makeOne(newest.id, signal))) return;
    }
  }

  /** False when there is no making more in this round. */
  async #makeOne(imageId: number, signal: AbortSignal): Promise<boolean> {
    const { instances } = this.#parts;
    if (signal.aborted || instances.isBusy || this.#now() < this.#notBefore) return false;
    try {
      await instances.createWarm(imageId);
      this.#failures = 0;
      this.#reason = undefined;
      return true;
    } catch (error) {
      this.#tell(imageId, error);
      return false;
    }
  }

  #tell(imageId: number, error: unknown): void {
    const { log } = this.#parts;
    if (error instanceof DomainError && PASSING.includes(error.kind)) {
      const { kind: reason } = error;
      if (reason !== this.#reason) log.info({ imageId, reason }, 'no instances are made in advance for now');
      this.#reason = reason;
      return;
    }
    const delayMs = Math.min(FIRST_DELAY_MS * 2 ** this.#failures++, LONGEST_DELAY_MS);
    this.#notBefore = this.#now() + delayMs;
    log.error({ imageId, delayMs, err: error }, 'cannot make an instance in advance');
  }
}

/** The image that `draupnir new` takes: the one that was made ready last. */
function findNewest(images: readonly Image[]): Image | undefined {
  return images
    .filter(({ status }) => status === 'ready')
    .sort((a, b) => b.updatedAt.getTime() - a.updatedAt.getTime() || b.id - a.id)[0];
}
