import type { Caller } from './caller.ts';
import type { ErrorReporter } from './error-reporter.ts';
import { DomainError } from './errors.ts';
import type { CorrectedScripts, Image, ImageStorage, ImageStore, NewImage, Progress } from './image.ts';
import { Preparations } from './preparations.ts';
import type { Limiter } from './limiter.ts';
import type { Log } from './log.ts';
import type { Meter } from './meter.ts';
import { SingleFlight } from './single-flight.ts';
import { parseVerificationScript } from './verification-script.ts';
import { findReason } from './volume.ts';
import type { Volume } from './volume.ts';

/** What images need of the instances made of them. */
export interface InstancesOfImages {
  destroyAllOf(imageId: number): Promise<void>;
}

export interface ImagesParts {
  store: ImageStore;
  storage: ImageStorage;
  instances: InstancesOfImages;
  volume: Volume;
  log: Log;
  meter?: Meter;
  /** Gets failed preparations. */
  errors?: ErrorReporter | undefined;
  /** Bounds how many preparations run at once. */
  limiter: Limiter;
  /** Longest time a preparation may take, in milliseconds. */
  finaliseTimeoutMs: number;
}

/** The images and what can be done with them. Changes are the upload user's alone. */
export class Images {
  readonly #parts: ImagesParts;
  readonly #preparations: Preparations;
  readonly #creating = new Set<number>();
  readonly #destroying = new SingleFlight<number, void>();
  /** Creations whose id is not known yet. */
  #inserting = 0;

  constructor(parts: ImagesParts) {
    this.#parts = parts;
    this.#preparations = new Preparations(parts);
  }

  async list(): Promise<Image[]> {
    const images = await this.#parts.store.list();
    return images.filter(exists);
  }

  /** Throws `not_found`. */
  async get(id: number): Promise<Image> {
    const image = await this.#parts.store.find(id);
    if (!image || !exists(image)) throw new DomainError('not_found', 'no such image');
    return image;
  }

  /** How far the preparation of an image is; undefined when none is under way. */
  getProgress(id: number): Progress | undefined {
    return this.#preparations.getProgress(id);
  }

  /** Makes the record and the place to upload to; leaves neither when one fails. Throws `invalid_script`. */
  async create(caller: Caller, image: NewImage): Promise<Image> {
    requireUploadUser(caller);
    requireScripts(image);
    const { store, storage, volume, log } = this.#parts;
    await volume.requireSpace();
    const { id } = await this.#insert(image);
    try {
      await storage.createImage(id);
      const created = await store.transition(id, ['creating'], 'pending');
      if (!created) throw new DomainError('not_found', 'the image was destroyed meanwhile');
      log.info({ imageId: id }, 'created image');
      return created;
    } catch (error) {
      await this.#discard(id, error).catch((cause: unknown) => {
        // The record stays; the next round of the reconciler takes it up.
        log.error({ imageId: id, err: cause }, 'cannot remove unfinished image');
      });
      throw await findReason(error, volume);
    } finally {
      this.#creating.delete(id);
    }
  }

  /**
   * Replaces scripts of an image that is not ready yet, for its next preparation. Throws `not_found`, `invalid_script`, and
   * `image_busy` while it is being prepared and once it is ready.
   */
  async correct(caller: Caller, id: number, scripts: CorrectedScripts): Promise<Image> {
    requireUploadUser(caller);
    requireScripts(scripts);
    const { store, log } = this.#parts;
    const corrected = await store.replaceScripts(id, ['pending', 'failed'], scripts);
    if (corrected) {
      log.info({ imageId: id }, 'replaced scripts of image');
      return corrected;
    }
    const { status } = await this.get(id);
    throw new DomainError(
      'image_busy',
      status === 'ready'
        ? 'the image is ready, its scripts have been used: create another image'
        : 'the image is being finalised: wait for its end, then correct its scripts',
    );
  }

  /**
   * Prepares an image and resolves when it is ready: at once when it is ready already, together with a preparation that is
   * under way. A failed one may be asked again.
   */
  async finalise(caller: Caller, id: number): Promise<Image> {
    const preparation = await this.#begin(caller, id);
    return preparation.ended;
  }

  /** Begins to prepare an image, as `finalise` does; resolves once that is recorded, and thus survives everything. */
  async beginFinalising(caller: Caller, id: number): Promise<Image> {
    const preparation = await this.#begin(caller, id);
    this.#preparations.leaveUnattended(id, preparation);
    return preparation.image;
  }

  /**
   * Destroys an image and, before it, its instances; joins a destruction that is under way, and takes up one that failed.
   * Throws `not_found`, or `image_busy` while the image is prepared.
   */
  async destroy(caller: Caller, id: number): Promise<void> {
    requireUploadUser(caller);
    await this.#destroy(id);
    this.#parts.log.info({ imageId: id }, 'destroyed image');
  }

  /** Finishes what was left half done: by an earlier run of the server, or by a step that failed. May run at any time. */
  async reconcile(): Promise<void> {
    const { store, log } = this.#parts;
    for (const image of await store.list()) {
      try {
        await this.#reconcile(image);
      } catch (error) {
        // One that cannot be put in order must not keep the others waiting.
        log.error({ imageId: image.id, err: error }, 'cannot put image in order');
      }
    }
  }

  /** Ends preparations that are under way; resolves when nothing runs any more. The next run takes them up again. */
  async close(): Promise<void> {
    await Promise.all([this.#preparations.close(), this.#destroying.settled()]);
  }

  async #begin(caller: Caller, id: number) {
    requireUploadUser(caller);
    const image = await this.get(id);
    if (image.status === 'ready') return { image, ended: Promise.resolve(image) };
    await this.#parts.volume.requireSpace();
    return this.#preparations.begin(id);
  }

  async #insert(image: NewImage): Promise<Image> {
    this.#inserting++;
    try {
      const record = await this.#parts.store.insert(image);
      this.#creating.add(record.id);
      return record;
    } finally {
      this.#inserting--;
    }
  }

  async #reconcile({ id, status, attempts }: Image): Promise<void> {
    const { store, log } = this.#parts;
    if (status === 'destroying' && !this.#destroying.has(id)) {
      await this.#destroy(id);
      log.info({ imageId: id }, 'finished destroying image');
    } else if (status === 'finalising') {
      await this.#preparations.resume(id, attempts);
    } else if (status === 'creating' && this.#inserting === 0 && !this.#creating.has(id)) {
      if (!(await store.transition(id, ['creating'], 'destroying'))) return;
      await this.#destroy(id);
      log.info({ imageId: id }, 'removed unfinished image');
    }
  }

  /** Removes a record whose creation failed, and what may exist of it; under an id that is occupied nothing is ours. */
  async #discard(id: number, error: unknown): Promise<void> {
    const { store } = this.#parts;
    if (error instanceof DomainError && error.kind === 'id_occupied') await store.delete(id);
    else if (await store.transition(id, ['creating', 'pending'], 'destroying')) await this.#destroy(id);
  }

  #destroy(id: number): Promise<void> {
    return this.#destroying.run(id, async () => {
      const { store, storage, instances, volume } = this.#parts;
      const marked = await store.transition(id, ['pending', 'ready', 'failed', 'destroying'], 'destroying');
      if (!marked) {
        await this.get(id);
        const hint = 'wait for its end, then destroy it';
        throw new DomainError('image_busy', `the image is being finalised: ${hint}`);
      }
      // Disk first, row last: a row without disk can be destroyed again, disk without a row would be forgotten.
      await instances.destroyAllOf(id);
      await storage.destroyImage(id).catch(async (error: unknown) => {
        throw await findReason(error, volume);
      });
      await store.delete(id);
    });
  }
}

function exists({ status }: Image): boolean {
  return status !== 'creating' && status !== 'destroying';
}

function requireUploadUser(caller: Caller): void {
  if (caller.role !== 'upload') throw new DomainError('forbidden', 'only the upload user may change images');
}

/** JSON can spell halves of characters, which no UTF-8 can hold: another text than was sent would be run. */
function requireScripts({ anonymisationScript = '', verificationScript = '' }: CorrectedScripts): void {
  requireText('anonymisation_script', anonymisationScript);
  requireText('verification_script', verificationScript);
  parseVerificationScript(verificationScript);
}

function requireText(name: string, script: string): void {
  if (script.isWellFormed()) return;
  throw new DomainError('invalid_script', `${name} holds a lone surrogate: send it as well-formed Unicode`);
}
