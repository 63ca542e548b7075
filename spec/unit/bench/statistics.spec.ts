import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getMedian, getPercentile, inTurn, measure } from '../../../bench/statistics.ts';

describe('a percentile', () => {
  it('is the sample that the share of all does not exceed', () => {
    const samples = [5, 1, 4, 2, 3];
    expect([0, 0.2, 0.5, 0.95, 1].map((p) => getPercentile(samples, p))).toEqual([1, 1, 3, 5, 5]);
    expect(samples).toEqual([5, 1, 4, 2, 3]);
  });

  it('needs a sample', () => {
    expect(() => getMedian([])).toThrow('no samples');
  });

  it('has at most its share below it, and at least its share up to it', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), share, (samples, p) => {
        const value = getPercentile(samples, p);
        const below = samples.filter((sample) => sample < value).length;
        const upTo = samples.filter((sample) => sample <= value).length;
        expect(below).toBeLessThanOrEqual(p * samples.length);
        expect(upTo).toBeGreaterThanOrEqual(p * samples.length);
      }),
    );
  });
});

describe('a measurement', () => {
  it('gives the result and a time, and passes a failure on', async () => {
    const { ms, result } = await measure(() => Promise.resolve('done'));
    expect(result).toBe('done');
    expect(ms).toBeGreaterThanOrEqual(0);
    await expect(measure(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  });
});

describe('two operations in turn', () => {
  it('change places every round, and do not overlap', async () => {
    const order: string[] = [];
    const log = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    };
    for (const round of [0, 1]) await inTurn(round, log('a'), log('b'));
    expect(order.filter((text) => text.endsWith('begins')).map(([name]) => name)).toEqual([
      'a',
      'b',
      'b',
      'a',
    ]);
    expect(order.map(([name]) => name).join('')).toBe('aabbbbaa');
  });
});
