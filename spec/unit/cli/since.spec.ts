import { describe, expect, it } from 'vitest';
import { parseSince } from '../../../src/cli/since.ts';

const NOW = new Date('2026-05-02T12:00:00Z');

describe('parseSince', () => {
  it.each([
    ['24h', '2026-05-01T12:00:00.000Z'],
    ['1h30m', '2026-05-02T10:30:00.000Z'],
    ['0', '2026-05-02T12:00:00.000Z'],
    ['2026-05-01', '2026-05-01T00:00:00.000Z'],
    ['2026-05-01T12:00:00Z', '2026-05-01T12:00:00.000Z'],
    ['2026-05-01T12:00:00.5+02:00', '2026-05-01T10:00:00.500Z'],
  ])('takes %s', (text, expected) => {
    expect(parseSince(text, NOW)?.toISOString()).toBe(expected);
  });

  // A time without a zone would mean something else on another machine.
  it.each(['', '-1h', 'yesterday', '7', '2026-13-01', '2026-05-01T12:00:00', 'May 1 2026'])(
    'refuses %j',
    (text) => {
      expect(parseSince(text, NOW)).toBeUndefined();
    },
  );
});
