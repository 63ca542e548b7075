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

describe('a sample of mutants', () => {
  it('is the same for the same seed alone', () => {
    expect(sampleMutants(mutants, 60, 1)).toEqual(sampleMutants(mutants, 60, 1));
    expect(sampleMutants(mutants, 60, 1)).not.toEqual(sampleMutants(mutants, 60, 2));
  });

  it('has as many as are wanted, of all areas, each in a line of its own', () => {
    const sample = sampleMutants(mutants, 60, 3);
    expect(sample.length).toBeGreaterThanOrEqual(60);
    expect(new Set(sample.map(({ area }) => area))).toEqual(new Set(AREAS));
    expect(new Set(sample.map(({ area, line }) => `${area} ${line}`)).size).toBe(sample.length);
  });
});
