import { describe, expect, it } from 'vitest';
import { recordCreations } from '../../../bench/creations.ts';
import { Recorder } from '../../../bench/results.ts';
import type { LogLine } from '../../e2e/support/server.ts';

const line = (instanceId: number, start: number): LogLine => ({
  level: 'info',
  msg: 'created instance',
  instanceId,
  parts: { start, prove: 10 },
});
const bench = (lines: LogLine[]) => ({ server: { readLog: () => Promise.resolve(lines) } });
const destroyed: LogLine = { level: 'info', msg: 'destroyed instance', instanceId: 2 };

describe('the profile of creations', () => {
  it('is that of the creation in the middle and of a slow one, with what is outside of the server', async () => {
    const record = new Recorder();
    record.add('proven_floor_part_start_ms', 25);
    const lines = [line(1, 1000), line(2, 50), destroyed, line(4, 30), line(3, 40)];
    const answers = new Map([
      [2, 65],
      [3, 56],
      [4, 45],
    ]);
    expect(await recordCreations(bench(lines), record, answers)).toHaveLength(3);
    expect(record.profiles).toEqual({
      p50: { start: 40, prove: 10, outside: 6 },
      p95: { start: 50, prove: 10, outside: 5 },
      floor: { start: 25 },
    });
    expect(record.samples.part_start_ms).toEqual([50, 30, 40]);
  });
});
