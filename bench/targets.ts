import { getSeries, getSeriesMedian, type Measured, type Results, type Target } from './results.ts';
import { getPercentile } from './statistics.ts';

interface Goal {
  name: string;
  part: string;
  /** `most`: the value may be the limit or less; `least`: the limit or more. */
  bound: 'most' | 'least';
  limit: number;
  compute: (results: Pick<Results, 'samples'>) => number;
  /** Which creation's profile explains a miss. */
  profile?: 'p50' | 'p95';
}

/** Of the medians of two series of a part. */
function ratio(part: string, ours: string, floor: string): Goal['compute'] {
  return (results) => getSeriesMedian(results, part, ours) / getSeriesMedian(results, part, floor);
}

/**
 * What the project promises: ratios of what was measured in one run, where there is something to compare with. The proof stays
 * whatever it costs, so creations are compared with the floor that has it too.
 */
const GOALS: readonly Goal[] = [
  {
    name: 'create p50 / floor with the proof',
    part: 'create',
    bound: 'most',
    limit: 1.25,
    compute: ratio('create', 'ours_ms', 'proven_floor_ms'),
    profile: 'p50',
  },
  {
    name: 'create p50 / recipe of 5.3.6',
    part: 'create',
    bound: 'most',
    limit: 1 / 12,
    compute: ratio('create', 'ours_ms', 'recipe_ms'),
  },
  {
    name: 'create p95 / floor with the proof',
    part: 'create',
    bound: 'most',
    limit: 2,
    compute: (results) =>
      getPercentile(getSeries(results, 'create', 'ours_ms'), 0.95) /
      getSeriesMedian(results, 'create', 'proven_floor_ms'),
    profile: 'p95',
  },
  {
    name: 'create_15 / floor with the proof',
    part: 'create_15',
    bound: 'most',
    limit: 1.6,
    compute: ratio('create_15', 'ours_ms', 'proven_floor_ms'),
    profile: 'p50',
  },
  {
    name: 'create_warm p50 ms',
    part: 'create_warm',
    bound: 'most',
    limit: 40,
    compute: (results) => getSeriesMedian(results, 'create_warm', 'ours_ms'),
  },
  {
    name: 'destroy / fast stop and subvolume delete',
    part: 'create',
    bound: 'most',
    limit: 1.5,
    compute: ratio('create', 'destroy_ours_ms', 'destroy_floor_ms'),
  },
  {
    name: 'finalise 200 MB / floor',
    part: 'finalise',
    bound: 'most',
    limit: 1.15,
    compute: ratio('finalise', 'ours_200mb_ms', 'floor_200mb_ms'),
  },
  {
    name: 'finalise 2 GB / floor',
    part: 'finalise_2gb',
    bound: 'most',
    limit: 1.15,
    compute: ratio('finalise_2gb', 'ours_2gb_ms', 'floor_2gb_ms'),
  },
  {
    name: 'GET /images / bare route with a query',
    part: 'api',
    bound: 'least',
    limit: 0.7,
    compute: ratio('api', 'images_rps', 'bare_query_rps'),
  },
  {
    name: 'GET /health_check / bare route',
    part: 'api',
    bound: 'least',
    limit: 0.8,
    compute: ratio('api', 'health_check_rps', 'bare_rps'),
  },
  {
    name: 'draupnir --version / bare node',
    part: 'cli',
    bound: 'most',
    limit: 1.3,
    compute: ratio('cli', 'version_ms', 'bare_node_ms'),
  },
  {
    name: 'create p50 with 150 instances / with 1',
    part: 'growth',
    bound: 'most',
    limit: 1.2,
    compute: ratio('growth', 'instances_150_ms', 'instances_1_ms'),
  },
  {
    name: 'idle instance, MB proportional',
    part: 'memory',
    bound: 'most',
    limit: 12,
    compute: (results) => getSeriesMedian(results, 'memory', 'instance_mb'),
  },
  {
    name: 'idle instance, MB of disk',
    part: 'memory',
    bound: 'most',
    limit: 1,
    compute: (results) => getSeriesMedian(results, 'memory', 'instance_disk_mb'),
  },
];

/** Compares what was measured with the targets; those of parts that did not run are left out. */
export function judge(results: Measured): Target[] {
  return GOALS.filter(({ part }) => part in results.samples).map((goal) => {
    const { name, part, bound, limit, compute, profile } = goal;
    const value = compute(results);
    const met = bound === 'most' ? value <= limit : value >= limit;
    const profiles = results.profiles?.[part];
    const explained = !met && profile !== undefined && profiles !== undefined;
    return {
      name,
      value,
      limit,
      met,
      ...(explained && { profile: { ours: profiles[profile], floor: profiles.floor } }),
    };
  });
}
