import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/quickstart/random.ts';

function draw(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => random.below(1_000_000));
}

describe('the random source', () => {
  it('gives the same sequence for the same stream and id, and another one for others', () => {
    const sequence = draw(new Random(1, 7), 20);
    expect(draw(new Random(1, 7), 20)).toEqual(sequence);
    expect(draw(new Random(1, 8), 20)).not.toEqual(sequence);
    expect(draw(new Random(2, 7), 20)).not.toEqual(sequence);
  });

  it('stays below the limit and is whole', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 31 }), (id, limit) => {
        const value = new Random(1, id).below(limit);
        return Number.isInteger(value) && value >= 0 && value < limit;
      }),
    );
  });

  it('meets all of a short list', () => {
    const random = new Random(1, 1);
    const met = new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b', 'c', 'd'])));
    expect([...met].sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is right about as often as the chance says', () => {
    const hits = Array.from({ length: 10_000 }, (_, id) => new Random(3, id).chance(20)).filter(
      Boolean,
    ).length;
    expect(hits).toBeGreaterThan(1_800);
    expect(hits).toBeLessThan(2_200);
  });

  it('refuses to pick from nothing', () => {
    expect(() => new Random(1, 1).pick([])).toThrow(RangeError);
  });

  it('fills digits and letters into a pattern and keeps the rest', () => {
    expect(new Random(1, 1).fill('@@# #@@ +44')).toMatch(/^[A-Z]{2}\d \d[A-Z]{2} \+44$/);
  });
});
