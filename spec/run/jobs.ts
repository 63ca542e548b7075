import { globSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Durations, getKey } from './durations.ts';
import type { Job } from './job.ts';

/** Of a project all of whose files are one job: they share what is costly to make, or use several cores by themselves. */
const WHOLE = ['host', 'integration', 'unit'];

/** Those that need root. */
const PRIVILEGED = ['e2e', 'host'];

/** Where nothing is known of a job: about right for e2e tests, in milliseconds for each byte. */
const MS_PER_BYTE = 2;

const BEFORE: Record<string, readonly (readonly string[])[]> = { host: [['scripts/dev/prepare-host']] };

/** What is to be run. */
export interface Selection {
  /** Projects; all when there is none. */
  projects: readonly string[];
  /** Parts of paths; all files when there is none. */
  filters: readonly string[];
}

/** Finds the files of the tests and makes jobs of them. As another user than root those that need root are left out. */
export async function composeJobs(
  root: string,
  { projects, filters }: Selection,
  durations: Durations,
  isRoot: boolean,
): Promise<Job[]> {
  const names = ['e2e', ...WHOLE].filter((name) => projects.length === 0 || projects.includes(name));
  const allowed = names.filter((name) => isRoot || !PRIVILEGED.includes(name));
  const jobs = allowed.flatMap((project) => {
    const found = globSync(`spec/${project}/**/*.spec.ts`, { cwd: root }).sort();
    const files = found.filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)));
    const groups = WHOLE.includes(project) ? [files] : files.map((file) => [file]);
    return groups.filter((group) => group.length > 0).map((group) => ({ project, files: group }));
  });
  return Promise.all(
    jobs.map(async (job) => ({
      ...job,
      estimateMs: durations[getKey(job)] ?? (await estimate(root, job.files)),
      niceness: 0,
      before: BEFORE[job.project] ?? [],
    })),
  );
}

async function estimate(root: string, files: readonly string[]): Promise<number> {
  const stats = await Promise.all(files.map((file) => stat(join(root, file))));
  return stats.reduce((sum, { size }) => sum + size * MS_PER_BYTE, 0);
}
