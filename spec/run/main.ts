/**
 * `make test`: runs all tests in lanes side by side. Prints what failed, the slowest files and, alone on the last line, how many tests
 * passed and failed; a run of all writes tmp/test/assertions.json. May be run with `--project unit` and the like, and with parts of paths of files.
 *
 * DRAUPNIR_TEST_LANES sets the number of lanes. The first has the slot DRAUPNIR_E2E_SLOT, the others those that follow.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { readDurations, writeDurations } from './durations.ts';
import type { JobOutcome } from './job.ts';
import { composeJobs } from './jobs.ts';
import { print } from './print.ts';
import { countAssertions, countTests, formatFailures, formatOutcome, formatSlowest } from './report.ts';
import { readFirstSlot, readLanes, runInLanes } from './run-in-lanes.ts';
import { writeJson } from './write-json.ts';

const ROOT = join(import.meta.dirname, '../..');
const OUT = join(ROOT, 'tmp/test');

/** Of a test run that lacks what it needs (sysexits.h, EX_NOPERM). */
const NO_PERMISSION = 77;

const started = performance.now();
const { values, positionals } = parseArgs({
  options: { project: { type: 'string', multiple: true, default: [] } },
  allowPositionals: true,
});
const isRoot = process.getuid?.() === 0;
const selection = { projects: values.project, filters: positionals };
const jobs = await composeJobs(ROOT, selection, await readDurations(OUT), isRoot);
if (isRoot)
  await execa(join(ROOT, 'scripts/dev/fetch-postgres'), {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
  });

const outcomes: JobOutcome[] = [];
const exitCode = await runInLanes(jobs, {
  lanes: readLanes(),
  firstSlot: readFirstSlot(),
  onOutcome: (outcome) => {
    outcomes.push(outcome);
    print(formatOutcome(outcome));
  },
});
const files = outcomes.flatMap((outcome) => outcome.files);
const { passed, failed, skipped } = countTests(outcomes);
await writeDurations(OUT, outcomes);
const isWhole = exitCode === undefined && selection.projects.length + selection.filters.length === 0;
if (isWhole) await writeJson(join(OUT, 'assertions.json'), countAssertions(files));
const complaints = [
  ...(exitCode === undefined ? [] : ['interrupted']),
  ...(isRoot
    ? []
    : ['the e2e and host tests need root (btrfs on a loop device, users, sudo): run make test as root']),
];
print(formatFailures(outcomes));
print(formatSlowest(files));
print(`\n${Math.round((performance.now() - started) / 1000)} s, ${skipped} skipped`);
for (const complaint of complaints) print(complaint);
print(`${passed} passed, ${failed} failed`);
process.exitCode = exitCode ?? (failed > 0 ? 1 : isRoot ? 0 : NO_PERMISSION);
