import { describe, expect, it } from 'vitest';
import { compare } from '../../../bench/comparisons.ts';

describe('a comparison with another build', () => {
  it('is the median ratio of neighbouring samples', () => {
    // The machine is ten times slower in the last round: for both.
    const create = {
      ours_ms: [90, 110, 1000],
      other_ms: [100, 100, 1000],
      destroy_ours_ms: [20],
      destroy_other_ms: [10],
    };
    expect(compare({ samples: { create } })).toEqual([
      { name: 'create.ours_ms', ours: 110, other: 100, ratio: 1 },
      { name: 'create.destroy_ours_ms', ours: 20, other: 10, ratio: 2 },
    ]);
  });

  it('is left out without one', () => {
    expect(compare({ samples: { create: { ours_ms: [1] }, api: {} } })).toEqual([]);
  });
});
