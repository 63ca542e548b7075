import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../run/job.ts';
import { LaneProcess } from '../../run/lane-process.ts';

const JOB: Job = {
  project: 'unit',
  files: ['spec/integration/run/fixtures/outcomes.ts'],
  estimateMs: 0,
  niceness: 0,
  before: [],
};

let lane: LaneProcess;
beforeEach(async () => {
  lane = await LaneProcess.start(0);
});
afterEach(() => lane.stop());

describe('a lane', () => {
  it('tells of each test how it ended, counts assertions, and keeps what was printed', async () => {
    const { passed, files, output } = await lane.run(JOB);
    expect(passed).toBe(false);
    expect(files).toMatchObject([{ file: JOB.files[0], project: 'unit', passed: false }]);
    expect(files[0]?.tests.map(({ name, state }) => [name, state])).toEqual([
      ['a file > has a test that passes', 'passed'],
      ['a file > has one that fails', 'failed'],
      ['a file > has one that is left out', 'skipped'],
      ['a file > has one with an expect of its own', 'passed'],
      ['tests at the same time > count all the same: 1', 'passed'],
      ['tests at the same time > count all the same: 2', 'passed'],
      ['tests at the same time > count all the same: 3', 'passed'],
    ]);
    // Of hooks two, of tests two, two and two, of those at the same time six.
    expect(files[0]?.assertions).toBe(14);
    expect(output).toContain('what was wanted');
  });

  it('runs one job after the other', async () => {
    const first = await lane.run(JOB);
    const second = await lane.run(JOB);
    expect(second.files[0]?.assertions).toBe(first.files[0]?.assertions);
  });

  it('fails a job whose preparation fails, and goes on', async () => {
    const failed = await lane.run({ ...JOB, before: [['false']] });
    expect(failed).toMatchObject({ passed: false, files: [] });
    expect(failed.output).toContain('false');
    expect((await lane.run(JOB)).files).toHaveLength(1);
  });

  it('ends at once when it is told to, whatever runs', async () => {
    const running = lane.run({ ...JOB, before: [['sleep', '600']] });
    await lane.stop();
    expect((await running).passed).toBe(false);
    expect(lane.isRunning).toBe(false);
    await expect(lane.run(JOB)).rejects.toThrow('the lane has ended');
  });
});
