import { describe, expect, it } from 'vitest';
import { withDeadline } from '../../../src/exec/deadline.ts';

const late = (): Error => new Error('too late');
const never = new Promise<string>(() => undefined);

describe('a deadline', () => {
  it('does not change what ends in time', async () => {
    expect(await withDeadline(Promise.resolve('done'), 60_000, late)).toBe('done');
    await expect(withDeadline(Promise.reject(new Error('broken')), 60_000, late)).rejects.toThrow('broken');
  });

  it('ends the wait for what does not', async () => {
    await expect(withDeadline(never, 1, late)).rejects.toThrow('too late');
  });

  it('takes no notice of what fails after it', async () => {
    const work = Promise.withResolvers<string>();
    await expect(withDeadline(work.promise, 1, late)).rejects.toThrow('too late');
    // Unhandled, this would fail the run.
    work.reject(new Error('broken later'));
  });
});
