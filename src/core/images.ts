import type { Caller } from './caller.ts';
import { DomainError } from './errors.ts';
import type { Image, ImageStorage, ImageStore } from './image.ts';
import type { Log } from './log.ts';
import { SingleFlight } from './single-flight.ts';

/** What images need of the instances made of them. */
export interface InstancesOfImages {
  destroyAllOf(imageId: number): Promise<void>;
}

export interface ImagesParts {
  store: ImageStore;
  storage: ImageStorage;
  instances: InstancesOfImages;
  log: Log;
  /** Longest time a preparation may take, in milliseconds. */
  finaliseTimeoutMs: number;
}

/** The images and what can be done with them. Changes are the upload user's alone. */
export class Images {
  readonly #parts: ImagesParts;
  readonly #finalising = new SingleFlight<number, Image>();
  readonly #destroying = new SingleFlight<number, void>();
  readonly #stop = new AbortController();

  constructor(parts: ImagesParts) {
    this.#parts = parts;
  }

  async list(): Promise<Image[]> {
    const images = await this.#parts.store.list();
    return images.filter((image) => image.status !== 'destroying');
  }

  /** Throws `not_found`. */
  async get(id: number): Promise<Image> {
    const image = await this.#parts.store.find(id);
    if (!image || image.status === 'destroying') throw new DomainError('not_found', 'no such image');
    return image;
  }

  /** Makes the record and the place to upload to; leaves neither when one fails. */
  async create(caller: Caller, image: { backedUpAt: Date; anonymisationScript: string }): Promise<Image> {
    requireUploadUser(caller);
    const created = await this.#parts.store.insert(image);
    try {
      await this.#parts.storage.createImage(created.id);
    } catch (error) {
      // The script has removed what it made; under an id that is occupied nothing is ours to remove.
      await this.#parts.store.delete(created.id);
      throw error;
    }
    this.#parts.log.info({ imageId: created.id }, 'created image');
    return created;
  }

  /**
   * Prepares an image and resolves when it is ready: at once when it is ready already, together with a preparation that is
   * under way. A failed one may be asked again.
   */
  async finalise(caller: Caller, id: number): Promise<Image> {
    requireUploadUser(caller);
    const image = await this.get(id);
    if (image.status === 'ready') return image;
    if (this.#stop.signal.aborted) throw new DomainError('shutting_down', 'the server is shutting down');
    return this.#finalising.run(id, () => this.#finalise(id));
  }

  /**
   * Destroys an image and, before it, its instances; joins a destruction that is under way, and takes up one that failed.
   * Throws `not_found`, or `image_busy` while the image is prepared.
   */
  async destroy(caller: Caller, id: number): Promise<void> {
    requireUploadUser(caller);
    if (!(await this.#parts.store.find(id))) throw new DomainError('not_found', 'no such image');
    await this.#destroy(id);
    this.#parts.log.info({ imageId: id }, 'destroyed image');
  }

  /** Finishes what an earlier run of the server left half done. */
  async recover(): Promise<void> {
    const { store, log } = this.#parts;
    for (const image of await store.list()) {
      try {
        if (image.status === 'destroying') {
          await this.#destroy(image.id);
          log.info({ imageId: image.id }, 'finished destroying image');
        } else if (image.status === 'finalising') {
          const failure = 'the server stopped during the preparation; ask for it again';
          await store.transition(image.id, ['finalising'], 'failed', failure);
          log.warn({ imageId: image.id }, 'preparation of image was interrupted');
        }
      } catch (error) {
        // One that cannot be recovered must not keep the server from starting.
        log.error({ imageId: image.id, err: error }, 'cannot recover image');
      }
    }
  }

  /** Ends preparations that are under way; resolves when nothing runs any more. Their uploads stay. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#finalising.settled(), this.#destroying.settled()]);
  }

  async #finalise(id: number): Promise<Image> {
    const { store, storage, log, finaliseTimeoutMs } = this.#parts;
    const started = performance.now();
    if (!(await store.transition(id, ['pending', 'failed'], 'finalising'))) {
      const image = await this.get(id);
      if (image.status === 'ready') return image;
      throw new DomainError('image_busy', 'the image is being finalised by another server');
    }
    try {
      const script = await store.getAnonymisationScript(id);
      const deadline = AbortSignal.timeout(finaliseTimeoutMs);
      await storage.finaliseImage(id, script, AbortSignal.any([this.#stop.signal, deadline]));
      const image = await store.transition(id, ['finalising'], 'ready');
      if (!image) throw new Error(`image ${id} left state finalising while it was prepared`);
      log.info({ imageId: id, durationMs: Math.round(performance.now() - started) }, 'finalised image');
      return image;
    } catch (error) {
      const expected = error instanceof DomainError;
      const reason = expected ? error.message : 'internal error';
      await store.transition(id, ['finalising'], 'failed', reason).catch((cause: unknown) => {
        // The record stays in state finalising; the next start of the server marks it as failed.
        log.error({ imageId: id, err: cause }, 'cannot record failure of image');
      });
      if (expected) log.warn({ imageId: id, reason: error.message }, 'image could not be finalised');
      throw error;
    }
  }

  #destroy(id: number): Promise<void> {
    return this.#destroying.run(id, async () => {
      const { store, storage, instances } = this.#parts;
      const marked = await store.transition(id, ['pending', 'ready', 'failed', 'destroying'], 'destroying');
      if (!marked) {
        await this.get(id);
        throw new DomainError(
          'image_busy',
          'the image is being finalised: wait for its end, then destroy it',
        );
      }
      // Disk first, row last: a row without disk can be destroyed again, disk without a row would be forgotten.
      await instances.destroyAllOf(id);
      await storage.destroyImage(id);
      await store.delete(id);
    });
  }
}

function requireUploadUser(caller: Caller): void {
  if (caller.role !== 'upload') throw new DomainError('forbidden', 'only the upload user may change images');
}
