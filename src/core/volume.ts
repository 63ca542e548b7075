import { DomainError } from './errors.ts';

/** The volume that holds images and instances. */
export interface Volume {
  /** Throws `storage_unavailable` when it is not mounted or cannot be written to. */
  requireMounted(): Promise<void>;
  /**
   * Resolves when new work may be put on it. Throws `insufficient_disk`, with what is missing, and as
   * `requireMounted` does.
   */
  requireSpace(): Promise<void>;
}

/**
 * The reason of a failure: a program that cannot write seldom says that the volume is full, read-only or gone, so it is looked
 * at. What was expected stays as it is, but for `insufficient_disk`, which comes back with how much is missing.
 */
export async function findReason(error: unknown, volume: Pick<Volume, 'requireSpace'>): Promise<unknown> {
  if (error instanceof DomainError && error.kind !== 'insufficient_disk') return error;
  try {
    await volume.requireSpace();
  } catch (state) {
    if (state instanceof DomainError) return new DomainError(state.kind, state.message, { cause: error });
  }
  return error;
}

/** Whether a failure passes as soon as the volume can be written to again. */
export function isOfVolume(error: unknown): boolean {
  return (
    error instanceof DomainError &&
    (error.kind === 'insufficient_disk' || error.kind === 'storage_unavailable')
  );
}
