import { createHash } from 'node:crypto';
import type { Area, Mutant } from './mutant.ts';

/** How many of a hundred mutants come from each area. */
const SHARES: Record<Area, number> = { core: 19, auth: 9, http: 13, exec: 15, db: 8, tls: 6, scripts: 30 };

/** Chooses mutants from all areas; the same seed chooses the same ones. At most one of a line: its others are seldom different faults. */
export function sampleMutants(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const total = Object.values(SHARES).reduce((sum, share) => sum + share, 0);
  return Object.entries(SHARES).flatMap(([area, share]) => {
    const shuffled = mutants
      .filter((mutant) => mutant.area === area)
      .map((mutant) => ({ mutant, rank: rank(mutant, seed) }))
      .sort((a, b) => a.rank.localeCompare(b.rank))
      .map(({ mutant }) => mutant);
    const lines = new Map(shuffled.toReversed().map((mutant) => [`${mutant.file}:${mutant.line}`, mutant]));
    const distinct = shuffled.filter((mutant) => lines.get(`${mutant.file}:${mutant.line}`) === mutant);
    return distinct.slice(0, Math.ceil((count * share) / total));
  });
}

function rank({ file, start, end, replacement }: Mutant, seed: number): string {
  return createHash('sha256')
    .update(JSON.stringify([seed, file, start, end, replacement]))
    .digest('hex');
}
