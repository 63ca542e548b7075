import { type Comparison, getSeries, getSeriesMedian, type Results } from './results.ts';
import { getMedian } from './statistics.ts';

/** Part, series of ours, series of the other build: each pair of samples is taken one right after the other. */
const PAIRS = [
  ['create', 'ours_ms', 'other_ms'],
  ['create', 'destroy_ours_ms', 'destroy_other_ms'],
  ['finalise', 'ours_200mb_ms', 'other_200mb_ms'],
] as const;

/** Compares our build with another one; empty when none was measured. */
export function compare(results: Pick<Results, 'samples'>): Comparison[] {
  return PAIRS.filter(([part, , other]) => results.samples[part]?.[other]).map(([part, ours, other]) => {
    const others = getSeries(results, part, other);
    const ratios = getSeries(results, part, ours).map((ms, i) => ms / (others[i] ?? NaN));
    return {
      name: `${part}.${ours}`,
      ours: getSeriesMedian(results, part, ours),
      other: getSeriesMedian(results, part, other),
      ratio: getMedian(ratios),
    };
  });
}
