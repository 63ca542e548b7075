import { describe, expect, it } from 'vitest';
import { findRestriction } from '../../../src/prepare/script/restriction.ts';

const PAIR = '\\restrict key\nSELECT 1;\n\\unrestrict key\n\\c shop\n';

describe('the restriction of a script', () => {
  it('is in force from its line on, up to the line that lifts it', () => {
    expect([0, 1, 2, 3, 4].map((line) => findRestriction(PAIR, line))).toEqual([
      undefined,
      1,
      1,
      undefined,
      undefined,
    ]);
  });

  it('is that of the last line that restricts', () => {
    expect(findRestriction(`${PAIR}\\restrict other\nSELECT 1;`, 6)).toBe(5);
  });

  it('is not in what only looks like it', () => {
    expect(findRestriction(" \\restrict x\n\\restricted\n-- \\restrict x\nSELECT '\\restrict x';\n", 9)).toBe(
      undefined,
    );
  });
});
