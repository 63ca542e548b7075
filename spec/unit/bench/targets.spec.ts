import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../../bench/options.ts';
import { judge } from '../../../bench/targets.ts';

describe('the targets', () => {
  it('compare medians with what may be at most', () => {
    const create = {
      ours_ms: [150, 150, 900],
      floor_ms: [100, 1, 100],
      recipe_ms: [1800],
      destroy_ours_ms: [46],
      destroy_floor_ms: [30],
    };
    expect(judge({ samples: { create } })).toEqual([
      { name: 'create p50 / floor', value: 1.5, limit: 1.5, met: true },
      { name: 'create p50 / recipe of 5.3.6', value: 150 / 1800, limit: 1 / 12, met: true },
      { name: 'create p95 / floor', value: 9, limit: 2.5, met: false },
      { name: 'destroy / fast stop and subvolume delete', value: 46 / 30, limit: 1.5, met: false },
    ]);
  });

  it('compare them with what must be at least', () => {
    const api = { images_rps: [700], bare_query_rps: [1000], health_check_rps: [700], bare_rps: [1000] };
    expect(judge({ samples: { api } }).map(({ met }) => met)).toEqual([true, false]);
  });

  it('bound the time that it takes to be given an instance made in advance', () => {
    const of = (ms: number) => judge({ samples: { create_warm: { ours_ms: [1, ms, 900] } } });
    expect(of(40)).toEqual([{ name: 'create_warm p50 ms', value: 40, limit: 40, met: true }]);
    expect(of(40.1)).toMatchObject([{ met: false }]);
  });

  it('fail loudly without samples', () => {
    expect(() => judge({ samples: { cli: {} } })).toThrow('no samples cli.version_ms');
  });
});

describe('the options', () => {
  const parts = ['create', 'api', 'cli'];

  it('ask for all parts by default, and for some in their order', () => {
    expect(parseOptions([], parts)).toEqual({ parts, quick: false });
    expect(parseOptions(['--only', 'cli,create', '--quick'], parts)).toEqual({
      parts: ['create', 'cli'],
      quick: true,
    });
  });

  it.each([[['--only', 'nothing']], [['--fast']], [['create']]])('refuse %j', (args) => {
    expect(() => parseOptions(args, parts)).toThrow();
  });
});
