import type { FailureKind } from './errors.ts';
import type { VerificationQuery } from './verification-script.ts';

/**
 * - `creating`: the place for its upload is being made; nobody has been told of it yet
 * - `pending`: waits for its upload and for `done`
 * - `finalising`: being prepared
 * - `ready`: instances can be made of it
 * - `failed`: the last preparation failed; the upload is as it was, `done` may be asked again
 * - `destroying`: going away
 */
export type ImageStatus = 'creating' | 'pending' | 'finalising' | 'ready' | 'failed' | 'destroying';

/** What an image is made with. */
export interface NewImage {
  backedUpAt: Date;
  /** SQL for psql. */
  anonymisationScript: string;
  /** Queries that must return no rows once the image is anonymised. */
  verificationScript?: string | undefined;
}

/** Scripts that take the place of those that an image was made with; absent ones stay. */
export interface CorrectedScripts {
  anonymisationScript?: string | undefined;
  verificationScript?: string | undefined;
}

/** What the preparation of an image is given. */
export interface PreparationScripts {
  anonymisation: string;
  verification: readonly VerificationQuery[];
}

/** A backup of a database and the script that anonymises it. */
export interface Image {
  readonly id: number;
  readonly backedUpAt: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly status: ImageStatus;
  /** Why the last preparation failed; present in status `failed`. */
  readonly failure: string | undefined;
  /** Recorded with `failure`; absent in records of earlier versions. */
  readonly failureKind: FailureKind | undefined;
  /** How often the preparation of status `finalising` was begun: once, and once more for each interruption. */
  readonly attempts: number;
}

/** How far a preparation is. */
export interface Progress {
  /** What is being done, such as `unpack` or `scrub`; `queued` before it begins. */
  readonly step: string;
  /** Counted from 1; 0 while queued. */
  readonly number: number;
  readonly of: number;
}

/** Images in the metadata database. */
export interface ImageStore {
  /** Makes a record in state `creating`. */
  insert(image: NewImage): Promise<Image>;
  find(id: number): Promise<Image | undefined>;
  /** All, ordered by id. */
  list(): Promise<Image[]>;
  /** SQL for psql that anonymises the image, `''` when it was created without. */
  getAnonymisationScript(id: number): Promise<string>;
  /** `''` when it was created without. */
  getVerificationScript(id: number): Promise<string>;
  /** Replaces scripts of an image in one of the states `from`; undefined when it is in none of them or gone. */
  replaceScripts(
    id: number,
    from: readonly ImageStatus[],
    scripts: CorrectedScripts,
  ): Promise<Image | undefined>;
  /**
   * Moves an image from one of the states `from` to `to` (compare and set); undefined when it is in none of them or gone.
   * Counts attempts: from `finalising` to `finalising` is one more, from another state the first.
   */
  transition(
    id: number,
    from: readonly ImageStatus[],
    to: ImageStatus,
    failure?: string,
    failureKind?: FailureKind,
  ): Promise<Image | undefined>;
  delete(id: number): Promise<void>;
}

/** Images on disk. Every method may be called again after a failure. */
export interface ImageStorage {
  /** Makes the place that the backup is uploaded to. */
  createImage(id: number): Promise<void>;
  /**
   * Prepares the upload and makes the snapshot. Throws `finalise_failed` with the one reason when upload or script are
   * at fault. Ends early, leaving the upload as it was, when the signal fires. Tells each step as it begins.
   */
  finaliseImage(
    id: number,
    scripts: PreparationScripts,
    signal: AbortSignal,
    onStep: (progress: Progress) => void,
  ): Promise<void>;
  destroyImage(id: number): Promise<void>;
}
