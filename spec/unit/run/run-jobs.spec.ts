import { describe, expect, it } from 'vitest';
import type { Job, JobOutcome } from '../../run/job.ts';
import { type Lane, runJobs } from '../../run/run-jobs.ts';

const createJob = (name: string, estimateMs: number): Job => ({
  project: 'e2e',
  files: [name],
  estimateMs,
  niceness: 0,
  before: [],
});

/** A lane whose jobs end when the test says so. */
class TestLane implements Lane {
  isRunning = true;
  readonly ran: string[] = [];
  stopped = 0;
  #end: ((outcome: JobOutcome) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #job: Job | undefined;

  run(job: Job): Promise<JobOutcome> {
    this.#job = job;
    this.ran.push(job.files[0] ?? '');
    return new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
  }

  stop(): Promise<void> {
    this.stopped++;
    if (this.isRunning) this.die();
    return Promise.resolve();
  }

  /** Ends the job that runs. */
  async end(passed = true, laneFailed = false): Promise<void> {
    if (this.#job) this.#end?.({ job: this.#job, passed, durationMs: 1, files: [], output: '', laneFailed });
    await settle();
  }

  die(): void {
    this.isRunning = false;
    this.#fail?.(new Error('the lane ended'));
  }
}

/** Lets everything happen that waits for nothing. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function startRun(jobs: Job[], lanes: number) {
  const started: TestLane[] = [];
  const outcomes: JobOutcome[] = [];
  const controller = new AbortController();
  const start = (): Promise<Lane> => {
    const lane = new TestLane();
    started.push(lane);
    return Promise.resolve(lane);
  };
  const onOutcome = (outcome: JobOutcome): void => void outcomes.push(outcome);
  const done = runJobs(jobs, { lanes, start, onOutcome, signal: controller.signal });
  const laneOf = (number: number): TestLane => {
    const lane = started[number];
    if (!lane) throw new Error(`lane ${number} was not started`);
    return lane;
  };
  const names = (): string[] => outcomes.map(({ job, passed }) => `${job.files.join()} ${passed}`);
  return { started, laneOf, names, controller, done };
}

describe('lanes', () => {
  const JOBS = [createJob('short', 1), createJob('long', 9), createJob('middle', 5), createJob('tiny', 0)];

  it('take the longest job that is left, as soon as they are free', async () => {
    const { laneOf, names, done } = startRun(JOBS, 2);
    await settle();
    const [one, two] = [laneOf(0), laneOf(1)];
    expect([one.ran, two.ran]).toEqual([['long'], ['middle']]);
    await two.end();
    await two.end();
    await two.end();
    await one.end();
    await done;
    expect([one.ran, two.ran]).toEqual([['long'], ['middle', 'short', 'tiny']]);
    expect(names()).toEqual(['middle true', 'short true', 'tiny true', 'long true']);
    expect([one.stopped, two.stopped]).toEqual([1, 1]);
  });

  it('are no more than there are jobs', async () => {
    const { started, laneOf, done } = startRun([createJob('only', 1)], 4);
    await settle();
    await laneOf(0).end();
    await done;
    expect(started).toHaveLength(1);
  });

  it('go on after a job that failed, and are replaced when they end', async () => {
    const { laneOf, names, done } = startRun(JOBS, 1);
    await settle();
    await laneOf(0).end(false);
    laneOf(0).die();
    await settle();
    expect(names()).toEqual(['long false', 'middle false']);
    await laneOf(1).end();
    await laneOf(1).end();
    await done;
    expect(laneOf(1).ran).toEqual(['short', 'tiny']);
  });

  it('leave their job to the others when they cannot run anything, and say so', async () => {
    const { laneOf, names, done } = startRun(JOBS, 2);
    await settle();
    await laneOf(1).end(false, true);
    expect(laneOf(1).stopped).toBe(1);
    await laneOf(0).end();
    await laneOf(0).end();
    await laneOf(0).end(false, true);
    await done;
    expect(laneOf(0).ran).toEqual(['long', 'middle', 'short']);
    expect(names()).toEqual(['middle false', 'long true', 'middle true', 'short false', 'tiny false']);
  });

  it('stop at once when they are told to, and begin nothing more', async () => {
    const { laneOf, names, controller, done } = startRun(JOBS, 2);
    await settle();
    controller.abort();
    await done;
    expect([laneOf(0).ran, laneOf(1).ran]).toEqual([['long'], ['middle']]);
    expect([laneOf(0).isRunning, laneOf(1).isRunning]).toEqual([false, false]);
    expect(names()).toEqual([]);
  });
});
