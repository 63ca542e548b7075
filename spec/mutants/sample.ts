import { createHash } from 'node:crypto';
import type { Area, Mutant } from './mutant.ts';

/** How many of a hundred mutants come from each area. */
const SHARES: Record<Area, number> = {
  core: 17,
  auth: 9,
  http: 12,
  exec: 13,
  db: 7,
  tls: 6,
  prepare: 14,
  scripts: 22,
};

/** What is wanted of the sample. */
export interface SampleOptions {
  count: number;
  /** The same seed chooses the same mutants. */
  seed: number;
  /** Whether one can be tried at all. */
  isValid: (mutant: Mutant) => boolean;
}

/** Chooses mutants from all areas. At most one of a line: its others are seldom different faults. */
export function sampleMutants(mutants: readonly Mutant[], { count, seed, isValid }: SampleOptions): Mutant[] {
  const total = Object.values(SHARES).reduce((sum, share) => sum + share, 0);
  return Object.entries(SHARES).flatMap(([area, share]) => {
    const shuffled = mutants
      .filter((mutant) => mutant.area === area)
      .map((mutant) => ({ mutant, rank: rank(mutant, seed) }))
      .sort((a, b) => a.rank.localeCompare(b.rank))
      .map(({ mutant }) => mutant);
    const wanted = Math.ceil((count * share) / total);
    const chosen = new Map<string, Mutant>();
    for (const mutant of shuffled) {
      if (chosen.size === wanted) break;
      const line = `${mutant.file}:${mutant.line}`;
      if (!chosen.has(line) && isValid(mutant)) chosen.set(line, mutant);
    }
    return [...chosen.values()];
  });
}

function rank({ file, start, end, replacement }: Mutant, seed: number): string {
  return createHash('sha256')
    .update(JSON.stringify([seed, file, start, end, replacement]))
    .digest('hex');
}
