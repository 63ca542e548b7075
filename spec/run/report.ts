import type { FileOutcome, JobOutcome } from './job.ts';

/** How many of the slowest files are shown. */
const SLOWEST = 20;

/** A line about a job that has ended. */
export function formatOutcome({ job, passed, durationMs, files }: JobOutcome): string {
  const tests = files.reduce((sum, file) => sum + file.tests.length, 0);
  const name = job.files.length === 1 ? (job.files[0] ?? '') : `${job.project} (${job.files.length} files)`;
  return `${passed ? 'ok  ' : 'FAIL'} ${formatSeconds(durationMs)}  ${name}, ${tests} tests`;
}

/** What Vitest printed about jobs that failed. */
export function formatFailures(outcomes: readonly JobOutcome[]): string {
  return outcomes
    .filter(({ passed }) => !passed)
    .map((outcome) => `\n=== ${formatOutcome(outcome)}\n${outcome.output.trimEnd()}\n`)
    .join('');
}

/** The files that took longest, a line each. */
export function formatSlowest(files: readonly FileOutcome[]): string {
  const sorted = files.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, SLOWEST);
  return [
    'slowest files:',
    ...sorted.map(({ file, durationMs }) => `${formatSeconds(durationMs)}  ${file}`),
  ].join('\n');
}

/** Counts tests; a file or a job that failed without any of its tests counts as one. */
export function countTests(outcomes: readonly JobOutcome[]): {
  passed: number;
  failed: number;
  skipped: number;
} {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, files } of outcomes) {
    let failed = 0;
    for (const file of files) {
      for (const { state } of file.tests) count[state]++;
      const own = file.tests.filter(({ state }) => state === 'failed').length;
      failed += file.passed ? 0 : Math.max(own, 1);
      count.failed += file.passed ? 0 : Math.max(1 - own, 0);
    }
    if (!passed && failed === 0) count.failed++;
  }
  return count;
}

/** Assertions that were executed, in all, by area and by file. An area is a project, of the e2e tests a folder or a file below it. */
export function countAssertions(files: readonly FileOutcome[]): {
  total: number;
  areas: Record<string, number>;
  files: Record<string, number>;
} {
  const counts = { total: 0, areas: {} as Record<string, number>, files: {} as Record<string, number> };
  for (const { file, project, assertions } of files.toSorted((a, b) => a.file.localeCompare(b.file))) {
    const area = project === 'e2e' ? (/^spec\/(e2e\/[^/.]+)/.exec(file)?.[1] ?? project) : project;
    counts.total += assertions;
    counts.areas[area] = (counts.areas[area] ?? 0) + assertions;
    counts.files[file] = assertions;
  }
  return counts;
}

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(6)} s`;
}
