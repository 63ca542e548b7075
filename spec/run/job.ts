import type { FaultFigures } from '../e2e/support/faults.ts';

/** Files of one project of Vitest that are run together: of the e2e tests each file, of the others all. */
export interface Job {
  project: string;
  /** Below the checkout. */
  files: readonly string[];
  /** How long it took the last time, or an estimate of that, in milliseconds. */
  estimateMs: number;
  /** nice(1) */
  niceness: number;
  /** Programs that have to succeed before, as argument lists. */
  before: readonly (readonly string[])[];
}

export interface TestOutcome {
  name: string;
  state: 'passed' | 'failed' | 'skipped';
  /** What a test of faults has seen. */
  faults?: FaultFigures | undefined;
}

export interface FileOutcome {
  file: string;
  project: string;
  /** False also when its hooks failed, or it could not be loaded. */
  passed: boolean;
  durationMs: number;
  /** Assertions that were executed. */
  assertions: number;
  tests: TestOutcome[];
}

export interface JobOutcome {
  job: Job;
  passed: boolean;
  durationMs: number;
  files: FileOutcome[];
  /** What Vitest printed. */
  output: string;
  /** Whether the lane cannot run anything: the tests of the job have not run. */
  laneFailed?: boolean;
}

/** What the runner sends to a lane. */
export type Order = { kind: 'run'; job: Job } | { kind: 'stop' };
