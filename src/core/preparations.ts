import { DomainError } from './errors.ts';
import type { Image, Progress } from './image.ts';
import type { ImagesParts } from './images.ts';
import { parseVerificationScript } from './verification-script.ts';
import { findReason } from './volume.ts';

/** A preparation that is recorded. */
export interface Preparation {
  /** The image as it was when the preparation was recorded. */
  readonly image: Image;
  /** Resolves to the ready image; rejects with what the caller is told. */
  readonly ended: Promise<Image>;
}

/** How often a preparation that is interrupted is begun in all: something in it might end the server. */
const MAX_ATTEMPTS = 5;

/** The preparations of images. They belong to the server: who asked for one may go away, and who asks again joins it. */
export class Preparations {
  readonly #parts: ImagesParts;
  readonly #running = new Map<number, Promise<Preparation>>();
  readonly #progress = new Map<number, Progress>();
  readonly #unattended = new WeakSet<Preparation>();
  readonly #stop = new AbortController();

  constructor(parts: ImagesParts) {
    this.#parts = parts;
  }

  getProgress(id: number): Progress | undefined {
    return this.#progress.get(id);
  }

  /** Begins to prepare an image, or joins the preparation that is under way. Throws `too_busy`, `shutting_down`. */
  begin(id: number): Promise<Preparation> {
    const running = this.#running.get(id);
    if (running) return running;
    if (this.#stop.signal.aborted) {
      return Promise.reject(new DomainError('shutting_down', 'the server is shutting down'));
    }
    const accepted = this.#accept(id);
    this.#running.set(id, accepted);
    accepted.catch(() => this.#forget(id));
    return accepted;
  }

  /** Takes up a preparation that was interrupted; one that was too often has failed. */
  async resume(id: number, attempts: number): Promise<void> {
    if (this.#running.has(id)) return;
    const { store, log } = this.#parts;
    if (attempts >= MAX_ATTEMPTS) {
      const failure = `the preparation was interrupted ${attempts} times; ask for it again`;
      await store.transition(id, ['finalising'], 'failed', failure, 'finalise_interrupted');
      log.warn({ imageId: id, attempts }, 'preparation of image is given up');
      return;
    }
    this.leaveUnattended(id, await this.begin(id));
    log.info({ imageId: id, attempts: attempts + 1 }, 'preparing image again');
  }

  /** No request waits for its end. Its failure is recorded with the image; the cause of an unforeseen one is logged here. */
  leaveUnattended(id: number, preparation: Preparation): void {
    if (this.#unattended.has(preparation)) return;
    this.#unattended.add(preparation);
    preparation.ended.catch((error: unknown) => {
      if (error instanceof DomainError || this.#stop.signal.aborted) return;
      this.#parts.log.error({ imageId: id, err: error }, 'image could not be finalised');
    });
  }

  /** Ends those that are under way; resolves when nothing runs any more. Their records stay, for `resume`. */
  async close(): Promise<void> {
    this.#stop.abort();
    const running = [...this.#running.values()].map((run) => run.then(({ ended }) => ended));
    await Promise.allSettled(running);
  }

  async #accept(id: number): Promise<Preparation> {
    const { store, limiter } = this.#parts;
    const recorded = Promise.withResolvers<Image>();
    // The place in the queue comes first: what is recorded is also done.
    const ended = limiter
      .run(async () => this.#prepare(await recorded.promise))
      .finally(() => this.#forget(id));
    ended.catch(() => undefined);
    this.#progress.set(id, { step: 'queued', number: 0, of: 0 });
    try {
      const image = await store.transition(id, ['pending', 'failed', 'finalising'], 'finalising');
      if (!image)
        throw new DomainError('image_busy', 'the image has just changed: look at it, then ask again');
      recorded.resolve(image);
      return { image, ended };
    } catch (error) {
      recorded.reject(error);
      throw error;
    }
  }

  #forget(id: number): void {
    this.#running.delete(id);
    this.#progress.delete(id);
  }

  async #prepare({ id }: Image): Promise<Image> {
    const { store, storage, volume, log, meter, finaliseTimeoutMs } = this.#parts;
    const started = performance.now();
    try {
      const scripts = {
        anonymisation: await store.getAnonymisationScript(id),
        verification: parseVerificationScript(await store.getVerificationScript(id)),
      };
      const deadline = AbortSignal.timeout(finaliseTimeoutMs);
      const signal = AbortSignal.any([this.#stop.signal, deadline]);
      await storage.finaliseImage(id, scripts, signal, (progress) => this.#progress.set(id, progress));
      const image = await store.transition(id, ['finalising'], 'ready');
      if (!image) throw new Error(`image ${id} left state finalising while it was prepared`);
      const durationMs = Math.round(performance.now() - started);
      log.info({ imageId: id, durationMs }, 'finalised image');
      meter?.preparationEnded(durationMs, 'ready');
      return image;
    } catch (error) {
      // It goes on when the server is back.
      if (this.#stop.signal.aborted) throw error;
      meter?.preparationEnded(performance.now() - started, 'failed');
      const reason = await findReason(error, volume);
      const expected = reason instanceof DomainError;
      const failure = expected ? reason.message : 'internal error';
      this.#report(reason, id);
      await store
        .transition(id, ['finalising'], 'failed', failure, expected ? reason.kind : 'internal')
        .catch((cause: unknown) => {
          // The record stays in state finalising; the next round of the reconciler takes it up.
          log.error({ imageId: id, err: cause }, 'cannot record failure of image');
        });
      if (expected) log.warn({ imageId: id, reason: reason.message }, 'image could not be finalised');
      throw reason;
    }
  }

  #report(reason: unknown, id: number): void {
    const step = this.#progress.get(id)?.step;
    this.#parts.errors?.report(reason, {
      failure: 'image could not be finalised',
      errorId: reason instanceof DomainError ? reason.kind : 'internal_server_error',
      imageId: id,
      ...(step !== undefined && { step }),
    });
  }
}
