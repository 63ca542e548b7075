import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatGoDuration, parseGoDuration } from '../../../src/config/go-duration.ts';

const UNIT_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  '\u00b5s': 1e-3,
  '\u03bcs': 1e-3,
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 3.6e6,
};

describe('parseGoDuration', () => {
  it.each([
    ['30m', 1_800_000],
    ['6h', 21_600_000],
    ['1h30m', 5_400_000],
    ['90s', 90_000],
    ['0', 0],
    ['+0', 0],
    ['-0', 0],
    ['+5s', 5000],
    ['-5.s', -5000],
    ['.5s', 500],
    ['1.5h', 5_400_000],
    ['1m1h1m', 3_720_000],
    ['1us1ns', 0.001001],
    ['0.0000000001s', 0],
    ['012h', 43_200_000],
    ['2562047h47m16.854775807s', (2 ** 63 - 1) / 1e6],
    ['-9223372036854775808ns', -(2 ** 63) / 1e6],
  ])('reads %j as Go does', (text, ms) => {
    expect(parseGoDuration(text)).toBeCloseTo(ms, 6);
  });

  it.each([
    '',
    '-',
    '+',
    '3',
    '-3',
    '.',
    '.s',
    '+.s',
    '1',
    '1x',
    '1 h',
    ' 1h',
    '1h ',
    '1h30',
    '1H',
    '1.2.3s',
    '--1s',
    '1d',
    '1e3s',
    '1hm',
    '1,5h',
    '００s',
    '9223372036854775808ns',
    '2562048h',
  ])('refuses %j as Go does', (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  });

  it('adds up terms in any order', () => {
    const term = fc.tuple(
      fc.nat(1000),
      fc.option(fc.nat(999), { nil: undefined }),
      fc.constantFrom(...Object.keys(UNIT_MS)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('', '+', '-'),
        fc.array(term, { minLength: 1, maxLength: 6 }),
        (sign, terms) => {
          const text = terms
            .map(([whole, rest, unit]) => `${whole}${rest === undefined ? '' : `.${rest}`}${unit}`)
            .join('');
          const ms = terms.reduce((sum, [whole, rest, unit]) => {
            return sum + Number(`${whole}.${rest ?? 0}`) * (UNIT_MS[unit] ?? NaN);
          }, 0);
          const parsed = parseGoDuration(sign + text) ?? NaN;
          // What is below a nanosecond is cut off, once a term; the sum here is rounded as well.
          expect(Math.abs(parsed - (sign === '-' ? -ms : ms))).toBeLessThan(1e-5 + ms * 1e-12);
        },
      ),
    );
  });

  it('never throws, and takes nothing but signs, digits, points and units', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('+', '-', '0', '1', '5', '9', '.', 'h', 'm', 's', 'n', 'u', 'µ', ' '),
          maxLength: 12,
        }),
        (text) => {
          const grammar = /^[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)$/;
          expect(parseGoDuration(text) !== undefined).toBe(grammar.test(text));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('formatGoDuration', () => {
  it.each([
    [0, '0s'],
    [1000, '1s'],
    [3_600_000, '1h'],
    [0.000001, '1ns'],
    [5_400_000, '1h30m'],
    [1500, '1s500ms'],
    [-90_000, '-1m30s'],
    [0.0015, '1us500ns'],
    [2 ** 31 - 1, '596h31m23s647ms'],
  ])('writes %d ms as %j', (ms, text) => {
    expect(formatGoDuration(ms)).toBe(text);
  });

  it('writes what parseGoDuration reads', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (nanoseconds) => {
        expect(parseGoDuration(formatGoDuration(nanoseconds / 1e6))).toBeCloseTo(nanoseconds / 1e6, 6);
      }),
    );
  });
});
