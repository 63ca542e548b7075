import { availableParallelism } from 'node:os';
import type { Job, JobOutcome } from './job.ts';
import { LaneProcess } from './lane-process.ts';
import { runJobs } from './run-jobs.ts';

/** Tests wait about as long as they work. */
const LANES_PER_CORE = 2;

/** Each lane needs a slot; more of them than this would wait for the disk. */
const MAX_LANES = 8;

export interface LaneOptions {
  lanes: number;
  /** Of the first lane; the others have those that follow. */
  firstSlot: number;
  /** For the tests. */
  env?: Record<string, string>;
  onOutcome: (outcome: JobOutcome) => void;
}

/** Exit codes of a program that a signal has ended, as a shell reports them (signal(7)). */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * Runs jobs in lanes that are processes. At a signal that asks to end, the lanes end their tests and remove what they made; resolves to the
 * exit code for that signal then, else to undefined.
 */
export async function runInLanes(jobs: readonly Job[], options: LaneOptions): Promise<number | undefined> {
  const { lanes, firstSlot, env, onOutcome } = options;
  const controller = new AbortController();
  let exitCode: number | undefined;
  const names = Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[];
  const listeners = names.map((name) => {
    const listener = (): void => {
      exitCode ??= EXIT_CODES[name];
      controller.abort();
    };
    process.on(name, listener);
    return { name, listener };
  });
  try {
    const start = (number: number): Promise<LaneProcess> => LaneProcess.start(firstSlot + number, env);
    await runJobs(jobs, { lanes, start, onOutcome, signal: controller.signal });
  } finally {
    for (const { name, listener } of listeners) process.off(name, listener);
  }
  return exitCode;
}

/** How many lanes are wanted: DRAUPNIR_TEST_LANES, or as many as this machine can keep busy. */
export function readLanes(): number {
  const { DRAUPNIR_TEST_LANES: value } = process.env;
  if (value === undefined) return Math.min(LANES_PER_CORE * availableParallelism(), MAX_LANES);
  if (!/^[1-9]$/.test(value))
    throw new Error(`DRAUPNIR_TEST_LANES is "${value}": set it to a number from 1 to 9`);
  return Number(value);
}

/** The slot of the first lane: DRAUPNIR_E2E_SLOT, or 0. The others have those that follow. */
export function readFirstSlot(): number {
  return Number(process.env.DRAUPNIR_E2E_SLOT ?? 0);
}
