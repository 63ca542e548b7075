import { describe, expect, it } from 'vitest';
import { AREAS, type Mutant } from '../../mutants/mutant.ts';
import { sampleMutants } from '../../mutants/sample.ts';

const mutants: Mutant[] = AREAS.flatMap((area) =>
  Array.from({ length: 200 }, (_, index) => ({
    area,
    file: `${area}.ts`,
    line: Math.floor(index / 2),
    operator: 'Operator',
    start: index,
    end: index + 1,
    replacement: '',
  })),
);

const sample = (seed: number, isValid: (mutant: Mutant) => boolean = () => true): Mutant[] =>
  sampleMutants(mutants, { count: 60, seed, isValid });

describe('a sample of mutants', () => {
  it('is the same for the same seed alone', () => {
    expect(sample(1)).toEqual(sample(1));
    expect(sample(1)).not.toEqual(sample(2));
  });

  it('has as many as are wanted, of all areas, each in a line of its own', () => {
    const chosen = sample(3);
    expect(chosen.length).toBeGreaterThanOrEqual(60);
    expect(new Set(chosen.map(({ area }) => area))).toEqual(new Set(AREAS));
    expect(new Set(chosen.map(({ area, line }) => `${area} ${line}`)).size).toBe(chosen.length);
  });

  it('has valid ones alone, and as many', () => {
    const chosen = sample(4, ({ start }) => start % 3 === 0);
    expect(chosen.filter(({ start }) => start % 3 !== 0)).toEqual([]);
    expect(chosen).toHaveLength(sample(4).length);
  });
});
