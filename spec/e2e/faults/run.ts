/**
 * `make faults`: the whole matrix of faults, in lanes side by side, each with an installation of its own. Prints a table and writes
 * tmp/faults/results.json. Fails when a fault, or a whole group, did.
 *
 * DRAUPNIR_FAULTS=each breaks every step at least once, DRAUPNIR_FAULTS=soak in every way (files by hand, with
 * DRAUPNIR_E2E_SLOT=N DRAUPNIR_FAULTS_SHARE=1/4, where several are to do it); DRAUPNIR_FAULTS_SEED repeats a run.
 */
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { readDurations, writeDurations } from '../../run/durations.ts';
import type { Job, JobOutcome } from '../../run/job.ts';
import { formatFailures, formatOutcome } from '../../run/report.ts';
import { readFirstSlot, readLanes, runInLanes } from '../../run/run-in-lanes.ts';
import { print } from '../../run/print.ts';
import { writeJson } from '../../run/write-json.ts';
import { formatTable, listMissing, sumUp, type TestFigures } from './support/figures.ts';
import { GROUPS } from './support/groups.ts';
import { readSeed } from './support/seed.ts';

/** Seconds of fuzz. */
const FUZZ_SECONDS = '600';
const OUT = join(import.meta.dirname, '../../../tmp/faults');

/** Tests that wait for nothing: they take what the others leave, nice(1). */
const FUZZ = 'fuzz';
const FUZZ_NICENESS = 10;

/** The files that take longest, in milliseconds, where no earlier run tells. */
const LONG: Record<string, number> = {
  'faults/failpoints': 1_200_000,
  'faults/failpoints-finalise': 700_000,
  [FUZZ]: 620_000,
  lifecycle: 300_000,
};
const OTHERWISE = 60_000;

const started = Date.now();
const seed = readSeed();
const durations = await readDurations(OUT);
const names = [...new Set(Object.values(GROUPS).flatMap(({ files }) => files))];
const jobs = names.map((name): Job => {
  const file = `spec/e2e/${name}.spec.ts`;
  return {
    project: 'e2e',
    files: [file],
    estimateMs: durations[file] ?? LONG[name] ?? OTHERWISE,
    niceness: name === FUZZ ? FUZZ_NICENESS : 0,
    before: [],
  };
});
const outcomes: JobOutcome[] = [];
const exitCode = await runInLanes(jobs, {
  lanes: readLanes(),
  firstSlot: readFirstSlot(),
  env: {
    DRAUPNIR_FAULTS: process.env.DRAUPNIR_FAULTS ?? 'full',
    DRAUPNIR_FAULTS_SEED: String(seed),
    DRAUPNIR_FUZZ_SECONDS: process.env.DRAUPNIR_FUZZ_SECONDS ?? FUZZ_SECONDS,
    DRAUPNIR_FUZZ_SEED: String(seed),
  },
  onOutcome: (outcome) => {
    outcomes.push(outcome);
    print(formatOutcome(outcome));
  },
});
await writeDurations(OUT, outcomes);
const figures = sumUp(outcomes.flatMap(listTests));
const missing = listMissing(figures);
const results = {
  started: new Date(started).toISOString(),
  minutes: Math.round((Date.now() - started) / 6000) / 10,
  machine: { cpus: cpus().length, memory_gib: Math.round(totalmem() / 2 ** 30) },
  seed,
  groups: figures,
};
await writeJson(join(OUT, 'results.json'), results);
print(formatFailures(outcomes));
print(`${formatTable(figures)}\n${results.minutes} minutes, seed ${seed}`);
if (missing.length > 0) process.stderr.write(`no test of group ${missing.join(', ')} ran\n`);
const failed = outcomes.some(({ passed }) => !passed) || missing.length > 0;
process.exitCode = exitCode ?? (failed ? 1 : 0);

function listTests({ files }: JobOutcome): TestFigures[] {
  return files.flatMap(({ file, tests }) =>
    tests.map(({ state, faults }) => ({
      file: file.replace(/^spec\/e2e\/(.*)\.spec\.ts$/, '$1'),
      passed: state === 'passed',
      figures: faults,
    })),
  );
}
