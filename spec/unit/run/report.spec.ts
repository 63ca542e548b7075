import { describe, expect, it } from 'vitest';
import type { FileOutcome, JobOutcome, TestOutcome } from '../../run/job.ts';
import { countAssertions, countTests, formatFailures, formatSlowest } from '../../run/report.ts';

const createFile = (file: string, values: Partial<FileOutcome> = {}): FileOutcome => ({
  file,
  project: /^spec\/(\w+)/.exec(file)?.[1] ?? '',
  passed: true,
  durationMs: 1000,
  assertions: 0,
  tests: [],
  ...values,
});

const createTests = (...states: TestOutcome['state'][]): TestOutcome[] =>
  states.map((state) => ({ name: state, state }));

const createOutcome = (files: FileOutcome[], values: Partial<JobOutcome> = {}): JobOutcome => ({
  job: { project: 'e2e', files: files.map(({ file }) => file), estimateMs: 0, niceness: 0, before: [] },
  passed: files.every(({ passed }) => passed),
  durationMs: 1000,
  files,
  output: '',
  ...values,
});

describe('the report of a test run', () => {
  it('counts tests, and one for what failed without any of them', () => {
    const passing = createFile('a', { tests: createTests('passed', 'passed', 'skipped') });
    const failing = createFile('b', { passed: false, tests: createTests('passed', 'failed', 'failed') });
    const hookFailed = createFile('c', { passed: false, tests: createTests('passed', 'skipped') });
    const setupFailed = createOutcome([], { passed: false });
    const teardownFailed = createOutcome([passing], { passed: false });
    const count = (...outcomes: JobOutcome[]): string => {
      const { passed, failed, skipped } = countTests(outcomes);
      return `${passed} ${failed} ${skipped}`;
    };
    expect(count(createOutcome([passing, failing]))).toBe('3 2 1');
    expect(count(createOutcome([hookFailed]))).toBe('1 1 1');
    expect(count(setupFailed, teardownFailed)).toBe('2 2 1');
  });

  it('shows what was printed about failed jobs alone', () => {
    const good = createOutcome([createFile('good')], { output: 'all well' });
    const bad = createOutcome([createFile('bad', { passed: false })], { output: 'expected 1 to be 2\n\n' });
    expect(formatFailures([good, bad])).toBe('\n=== FAIL    1.0 s  bad, 0 tests\nexpected 1 to be 2\n');
  });

  it('lists the twenty slowest files, the slowest first', () => {
    const files = Array.from({ length: 25 }, (_, n) => createFile(`file-${n}`, { durationMs: n * 1000 }));
    const lines = formatSlowest(files).split('\n');
    expect(lines).toHaveLength(21);
    expect(lines[1]).toBe('  24.0 s  file-24');
    expect(lines.at(-1)).toBe('   5.0 s  file-5');
  });

  it('adds up assertions by project, of e2e tests by folder', () => {
    const files = [
      createFile('spec/e2e/doctor.spec.ts', { assertions: 1 }),
      createFile('spec/e2e/faults/disk.spec.ts', { assertions: 2 }),
      createFile('spec/e2e/faults/reboot.spec.ts', { assertions: 4 }),
      createFile('spec/unit/core/quote.spec.ts', { assertions: 8 }),
    ];
    expect(countAssertions(files)).toMatchObject({
      total: 15,
      areas: { 'e2e/doctor': 1, 'e2e/faults': 6, unit: 8 },
    });
  });
});
