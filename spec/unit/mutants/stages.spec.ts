import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AREAS } from '../../mutants/mutant.ts';
import { listStages } from '../../mutants/stages.ts';

const ROOT = join(import.meta.dirname, '../../..');
const E2E = globSync('spec/e2e/**/*.spec.ts', { cwd: ROOT });

const list = (area: (typeof AREAS)[number]): string[] =>
  globSync(area === 'scripts' ? 'scripts/{draupnir-*,lib/*}' : `src/${area}/**/*.ts`, { cwd: ROOT });

describe('the tests that cover a file', () => {
  it.each(AREAS)('exist, e2e tests included: %s', (area) => {
    const files = list(area);
    expect(files).not.toEqual([]);
    for (const file of files) {
      const mutant = { area, file, line: 1, operator: 'Operator', start: 0, end: 0, replacement: '' };
      const [, ...specs] = listStages(mutant).find(({ project }) => project === 'e2e')?.selection ?? [];
      expect(specs).not.toEqual([]);
      const unknown = specs.filter((part) => !E2E.some((path) => path.includes(part)));
      expect({ file, unknown }).toEqual({ file, unknown: [] });
    }
  });
});
