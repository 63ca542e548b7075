import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobOutcome } from './job.ts';
import { writeJson } from './write-json.ts';

/** How long files, or all files of a project together, took the last time they passed: milliseconds. */
export type Durations = Record<string, number>;

const NAME = 'durations.json';

/** Reads what the last runs have written into a folder: nothing, when there was none. */
export async function readDurations(folder: string): Promise<Durations> {
  const text = await readFile(join(folder, NAME), 'utf8').catch(() => '{}');
  return JSON.parse(text) as Durations;
}

/** Keeps the durations of a run for the next one; jobs that failed, and those that did not run, keep what is known of them. */
export async function writeDurations(folder: string, outcomes: readonly JobOutcome[]): Promise<void> {
  const known = await readDurations(folder);
  const passed = outcomes.filter((outcome) => outcome.passed);
  // The first e2e job of a lane makes the installation of all.
  const measure = ({ job, durationMs, files }: JobOutcome): number =>
    (job.files.length === 1 ? files[0]?.durationMs : undefined) ?? durationMs;
  const measured = passed.map((outcome) => [getKey(outcome.job), Math.round(measure(outcome))]);
  await writeJson(join(folder, NAME), { ...known, ...Object.fromEntries(measured) });
}

/** What a job is called in the durations. */
export function getKey({ project, files }: { project: string; files: readonly string[] }): string {
  return files.length === 1 ? (files[0] ?? project) : project;
}
