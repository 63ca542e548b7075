import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDurations, writeDurations } from '../../run/durations.ts';
import { composeJobs } from '../../run/jobs.ts';

const ALL = { projects: [], filters: [] };
const FILES = ['e2e/long', 'e2e/faults/short', 'unit/one', 'unit/two', 'host/package', 'integration/db'];
let root = '';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'jobs-'));
  for (const [index, name] of FILES.entries()) {
    const file = join(root, 'spec', `${name}.spec.ts`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, ' '.repeat(100 - index));
  }
});
afterEach(() => rm(root, { recursive: true }));

const list = async (...args: Parameters<typeof composeJobs>): Promise<string[]> =>
  (await composeJobs(...args)).map(({ project, files }) => `${project}: ${files.join(' ')}`);

describe('the jobs of a test run', () => {
  it('are each e2e file, and all files of every other kind', async () => {
    expect(await list(root, ALL, {}, true)).toEqual([
      'e2e: spec/e2e/faults/short.spec.ts',
      'e2e: spec/e2e/long.spec.ts',
      'host: spec/host/package.spec.ts',
      'integration: spec/integration/db.spec.ts',
      'unit: spec/unit/one.spec.ts spec/unit/two.spec.ts',
    ]);
  });

  it('are those that need no root, as another user', async () => {
    const projects = (await composeJobs(root, ALL, {}, false)).map(({ project }) => project);
    expect(projects).toEqual(['integration', 'unit']);
  });

  it('are those that were asked for', async () => {
    expect(await list(root, { projects: ['unit'], filters: [] }, {}, true)).toHaveLength(1);
    expect(await list(root, { projects: ['unit', 'e2e'], filters: ['two', 'faults/'] }, {}, true)).toEqual([
      'e2e: spec/e2e/faults/short.spec.ts',
      'unit: spec/unit/two.spec.ts',
    ]);
  });

  it('are expected to take as long as the last time, and without one by their size', async () => {
    const [short, long] = await composeJobs(root, ALL, { 'spec/e2e/faults/short.spec.ts': 7 }, true);
    expect(short?.estimateMs).toBe(7);
    expect(long?.estimateMs).toBeGreaterThan(7);
  });

  it('keep what is known of those that failed', async () => {
    const [job, other] = await composeJobs(root, ALL, {}, true);
    if (!job || !other) throw new Error('too few jobs');
    const passed = { job, passed: true, durationMs: 5.4, files: [], output: '' };
    await writeDurations(root, [passed, { ...passed, job: other, passed: false }]);
    await writeDurations(root, [{ ...passed, passed: false, durationMs: 1 }]);
    expect(await readDurations(root)).toEqual({ 'spec/e2e/faults/short.spec.ts': 5 });
  });
});
