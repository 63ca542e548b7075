import { describe, expect, it } from 'vitest';
import type { Results } from '../../../bench/results.ts';
import { formatResults } from '../../../bench/table.ts';

const RESULTS: Results = {
  startedAt: '2026-01-01T00:00:00.000Z',
  machine: {},
  quick: true,
  samples: { create: { ours_ms: [200] } },
  notes: {},
  profiles: {},
  targets: [{ name: 'met', value: 1, limit: 2, met: true }],
  comparisons: [],
};

describe('the table', () => {
  it('shows series and targets', () => {
    expect(formatResults(RESULTS).split('\n')).toEqual([
      'series          n  median  p95  min  max',
      'create.ours_ms  1     200  200  200  200',
      '',
      'target  value  limit',
      'met     1.000  2.000  met',
      '',
    ]);
  });

  it('shows where the time of a missed target went', () => {
    const profile = { ours: { reserve: 4.1, start: 82 }, floor: { start: 60.25 } };
    const targets = [{ name: 'slow', value: 3, limit: 2, met: false, profile }];
    expect(formatResults({ ...RESULTS, targets })).toContain(
      '\nslow: reserve 4.1, start 82.0 (floor 60.3) ms\n',
    );
  });

  it('shows how another build compares', () => {
    const comparisons = [{ name: 'create.ours_ms', ours: 90, other: 100, ratio: 0.9 }];
    expect(formatResults({ ...RESULTS, comparisons })).toMatch(/^create\.ours_ms +90\.0 +100 +0\.900$/m);
  });
});
