import type { FaultFigures, FaultGroup } from '../../support/faults.ts';
import { GROUPS } from './groups.ts';

/** What the tests of a group come to. */
export interface GroupFigures {
  about: string;
  /** Tests, and how many of them did not pass; one that was skipped did not. */
  tests: number;
  failed: number;
  /** Faults injected; a test that counts none is one. */
  tried: number;
  worst_convergence_ms: number | null;
  /** After which fault that was, where the tests tell. */
  worst_fault: string | null;
  orphans: number;
  stuck: number;
  seed: number | null;
}

export type Figures = Partial<Record<FaultGroup, GroupFigures>>;

/** One test, as the runner sees it. */
export interface TestFigures {
  /** Below `spec/e2e`, without the suffix. */
  file: string;
  passed: boolean;
  figures?: FaultFigures | undefined;
}

/** Adds up the tests of each group. */
export function sumUp(tests: readonly TestFigures[]): Figures {
  const sums: Figures = {};
  for (const { file, passed, figures } of tests) {
    const group = findGroup(file);
    if (!group) continue;
    const sum = (sums[group] ??= createSum(group));
    sum.tests++;
    sum.failed += passed ? 0 : 1;
    sum.tried += figures?.tried ?? 1;
    sum.orphans += figures?.orphans ?? 0;
    sum.stuck += figures?.stuck ?? 0;
    sum.seed ??= figures?.seed ?? null;
    const convergenceMs = Math.round(figures?.convergenceMs ?? -1);
    if (convergenceMs > (sum.worst_convergence_ms ?? -1)) {
      sum.worst_convergence_ms = convergenceMs;
      sum.worst_fault = figures?.worstFault ?? null;
    }
  }
  return sums;
}

/** Groups of which no test ran. */
export function listMissing(figures: Figures): string[] {
  return Object.keys(GROUPS).filter((group) => !(group in figures));
}

/** A table in the form of Markdown, as README shows it. */
export function formatTable(figures: Figures): string {
  const rows = Object.keys(GROUPS).flatMap((name) => {
    const sum = figures[name as FaultGroup];
    if (!sum) return [];
    const worst =
      sum.worst_convergence_ms === null ? '' : `${(sum.worst_convergence_ms / 1000).toFixed(1)} s`;
    const cells = [name, sum.about, sum.tests, sum.tried, sum.failed, sum.orphans, sum.stuck, worst];
    return [`| ${cells.join(' | ')} |`];
  });
  return [
    '| Group | What breaks | Tests | Faults | Failed | Orphans | Stuck | Worst recovery |',
    '|---|---|---:|---:|---:|---:|---:|---:|',
    ...rows,
    '',
  ].join('\n');
}

function createSum(group: FaultGroup): GroupFigures {
  const { about } = GROUPS[group];
  return {
    about,
    tests: 0,
    failed: 0,
    tried: 0,
    worst_convergence_ms: null,
    worst_fault: null,
    orphans: 0,
    stuck: 0,
    seed: null,
  };
}

function findGroup(file: string): FaultGroup | undefined {
  const names = Object.keys(GROUPS) as FaultGroup[];
  return names.find((name) => GROUPS[name].files.includes(file));
}
