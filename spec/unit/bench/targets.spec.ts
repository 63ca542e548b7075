import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../../bench/options.ts';
import { judge } from '../../../bench/targets.ts';

describe('the targets', () => {
  it('compare medians with what may be at most', () => {
    const create = {
      ours_ms: [150, 150, 900],
      floor_ms: [60, 1, 60],
      proven_floor_ms: [120, 1, 120],
      recipe_ms: [1800],
      destroy_ours_ms: [46],
      destroy_floor_ms: [30],
    };
    expect(judge({ samples: { create } })).toEqual([
      { name: 'create p50 / floor with the proof', value: 1.25, limit: 1.25, met: true },
      { name: 'create p50 / recipe of 5.3.6', value: 150 / 1800, limit: 1 / 12, met: true },
      { name: 'create p95 / floor with the proof', value: 7.5, limit: 2, met: false },
      { name: 'destroy / fast stop and subvolume delete', value: 46 / 30, limit: 1.5, met: false },
    ]);
  });

  it('bound fifteen creations at once by as many floors with the proof', () => {
    const of = (ms: number) => judge({ samples: { create_15: { ours_ms: [ms], proven_floor_ms: [1000] } } });
    expect(of(1600)).toEqual([
      { name: 'create_15 / floor with the proof', value: 1.6, limit: 1.6, met: true },
    ]);
    expect(of(1601)).toMatchObject([{ met: false }]);
  });

  it('give the profile of the creation that a missed one is about', () => {
    const create = {
      ours_ms: [100, 300],
      proven_floor_ms: [100],
      recipe_ms: [100],
      destroy_ours_ms: [100],
      destroy_floor_ms: [1],
    };
    const profiles = { create: { p50: { start: 60 }, p95: { start: 250 }, floor: { start: 50 } } };
    expect(judge({ samples: { create }, profiles }).map(({ met, profile }) => ({ met, profile }))).toEqual([
      { met: true, profile: undefined },
      { met: false, profile: undefined },
      { met: false, profile: { ours: { start: 250 }, floor: { start: 50 } } },
      { met: false, profile: undefined },
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
    expect(parseOptions([], parts)).toEqual({ parts, quick: false, beside: undefined });
    expect(parseOptions(['--only', 'cli,create', '--quick'], parts)).toEqual({
      parts: ['create', 'cli'],
      quick: true,
      beside: undefined,
    });
  });

  it('name another build', () => {
    expect(parseOptions(['--beside', '../other'], parts).beside).toBe('../other');
  });

  it.each([[['--only', 'nothing']], [['--fast']], [['create']]])('refuse %j', (args) => {
    expect(() => parseOptions(args, parts)).toThrow();
  });
});
