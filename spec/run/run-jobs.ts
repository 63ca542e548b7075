import type { Job, JobOutcome } from './job.ts';

/** Runs one job after the other. */
export interface Lane {
  /** False when it has ended, by itself too. */
  readonly isRunning: boolean;
  /** Throws when it ends meanwhile. */
  run(job: Job): Promise<JobOutcome>;
  /** Ends what runs, and removes what was made for it. May be called twice; throws when something is left. */
  stop(): Promise<void>;
}

export interface RunOptions {
  lanes: number;
  /** Starts the lane of this number, from 0 on. */
  start: (number: number) => Promise<Lane>;
  onOutcome: (outcome: JobOutcome) => void;
  /** Ends what runs; no further job begins. */
  signal?: AbortSignal;
}

/**
 * Has all jobs run by lanes side by side. Each takes the longest that is left, so that all end at about the same time (Graham, "Bounds on
 * Multiprocessing Timing Anomalies", 1969). A job that fails, or the end of a lane, does not keep the others from running: a lane that
 * cannot work leaves its job to the others.
 */
export async function runJobs(jobs: readonly Job[], options: RunOptions): Promise<void> {
  const { lanes, start, onOutcome, signal } = options;
  const isAborted = (): boolean => signal?.aborted === true;
  const queue = [...jobs].sort((a, b) => b.estimateMs - a.estimateMs);
  let working = Math.min(lanes, jobs.length);

  const runLane = async (number: number): Promise<void> => {
    let lane: Lane | undefined;
    const stop = (): void => void lane?.stop().catch(() => undefined);
    signal?.addEventListener('abort', stop);
    for (let job = queue.shift(); job !== undefined && !isAborted(); job = queue.shift()) {
      let outcome: JobOutcome;
      try {
        if (lane?.isRunning !== true) lane = await start(number);
        if (isAborted()) break;
        outcome = await lane.run(job);
      } catch (error) {
        const laneFailed = lane === undefined;
        outcome = { job, passed: false, durationMs: 0, files: [], output: String(error), laneFailed };
      }
      if (isAborted()) break;
      onOutcome(outcome);
      if (outcome.laneFailed !== true) continue;
      if (working > 1) queue.unshift(job);
      break;
    }
    working--;
    signal?.removeEventListener('abort', stop);
    await lane?.stop().catch((error: unknown) => {
      const job = { project: 'cleanup', files: [], estimateMs: 0, niceness: 0, before: [] };
      if (!isAborted()) onOutcome({ job, passed: false, durationMs: 0, files: [], output: String(error) });
    });
  };
  await Promise.all(Array.from({ length: working }, (_, number) => runLane(number)));
  if (isAborted()) return;
  for (const job of queue) {
    onOutcome({ job, passed: false, durationMs: 0, files: [], output: 'no lane is left to run it' });
  }
}
