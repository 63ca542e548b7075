import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import { findReason, isOfVolume } from '../../../src/core/volume.ts';
import { FakeVolume } from '../fakes/world.ts';
import { Steps } from '../fakes/steps.ts';

const UNEXPECTED = new Error('draupnir-create-instance failed');
const FULL = new DomainError('insufficient_disk', 'the volume is full');
const LACKS = new DomainError('insufficient_disk', 'the volume lacks 12 MiB');
const READ_ONLY = new DomainError('storage_unavailable', 'the data path is mounted read-only');
const NOT_READY = new DomainError('image_not_ready', 'the image is not ready');

/** What is told of a failure on a volume in that state. */
async function explain(failure: unknown, state?: unknown): Promise<unknown> {
  const steps = new Steps();
  if (state !== undefined) steps.failOnce('volume.requireSpace', state);
  return findReason(failure, new FakeVolume(steps));
}

describe('the reason of a failure', () => {
  it.each([
    ['an unexpected one', UNEXPECTED],
    ['want of space', FULL],
  ])('of %s is the volume, when that has no room or cannot be written to', async (_what, failure) => {
    for (const state of [LACKS, READ_ONLY]) {
      const { kind, message } = state;
      expect(await explain(failure, state)).toMatchObject({ kind, message, cause: failure });
    }
  });

  it.each([UNEXPECTED, FULL])('is itself on a volume with room', async (failure) => {
    expect(await explain(failure)).toBe(failure);
  });

  it('is itself when it was expected, or when the volume cannot be looked at', async () => {
    expect(await explain(NOT_READY, LACKS)).toBe(NOT_READY);
    expect(await explain(UNEXPECTED, new Error('no statfs'))).toBe(UNEXPECTED);
  });

  it('is the volume when it is full or not there, and nothing else is', () => {
    expect([LACKS, READ_ONLY, NOT_READY, UNEXPECTED, undefined].map(isOfVolume)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
