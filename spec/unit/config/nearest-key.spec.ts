import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getEditDistance, getNearestKey } from '../../../src/config/nearest-key.ts';

describe('getNearestKey', () => {
  const known = ['data_path', 'database_url', 'http.listen_address'];

  it.each([
    ['databse_url', 'database_url'],
    ['DATA_PATHS', 'data_path'],
    ['http.listen_adress', 'http.listen_address'],
  ])('finds for %s the key %s', (key, nearest) => {
    expect(getNearestKey(key, known)).toBe(nearest);
  });

  it('throws when nothing is known', () => {
    expect(() => getNearestKey('a', [])).toThrow(TypeError);
  });
});

describe('getEditDistance', () => {
  it.each([
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
    ['abc', '', 3],
    ['abc', 'abc', 0],
    ['ab', 'ba', 2],
  ])('from %j to %j is %d', (from, to, distance) => {
    expect(getEditDistance(from, to)).toBe(distance);
  });

  it('is the same in both directions, and zero for equal texts only', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '_'), maxLength: 8 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(getEditDistance(a, b)).toBe(getEditDistance(b, a));
        expect(getEditDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });

  it('grows by one at most with each character that is removed', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(), (text, at) => {
        const cut = at % text.length;
        expect(getEditDistance(text, text.slice(0, cut) + text.slice(cut + 1))).toBe(1);
      }),
    );
  });
});
