import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRenewalDue } from '../../../src/core/certificate-validity.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-05-01T12:00:00Z');

/** Made at `NOW`, for 30 days. */
const fresh = { notBefore: new Date(NOW - HOUR), notAfter: new Date(NOW + 30 * DAY) };

describe('the renewal of a certificate', () => {
  it.each([
    ['just made', 0, false],
    ['in the middle of its life', 15 * DAY, false],
    ['a moment before a third is left', 20 * DAY - 1, false],
    ['when a third is left', 20 * DAY, true],
    ['when it has expired', 31 * DAY, true],
    ['years later', 3650 * DAY, true],
    ['within the hour before it was made', -HOUR, false],
    ['when it is not valid yet', -HOUR - 1, true],
    ['years before', -3650 * DAY, true],
  ])('%s', (_when, offset, due) => {
    expect(isRenewalDue(fresh, NOW + offset, 30 * DAY)).toBe(due);
  });

  it('is due when the lifetime was made shorter by more than a quarter, and not when it was made longer', () => {
    expect(isRenewalDue(fresh, NOW, 7 * DAY)).toBe(true);
    expect(isRenewalDue(fresh, NOW, 24 * DAY)).toBe(false);
    expect(isRenewalDue(fresh, NOW, 80 * DAY)).toBe(false);
    expect(isRenewalDue(fresh, NOW, 365 * DAY)).toBe(true);
  });

  it('leads to a certificate that is not due, whatever the clock says: no renewal follows the other', () => {
    const clock = fc.integer({ min: 0, max: Date.parse('2090-01-01T00:00:00Z') });
    const lifetime = fc.integer({ min: HOUR, max: 3650 * DAY });
    fc.assert(
      fc.property(clock, lifetime, fc.integer({ min: 0, max: 60 }), (now, lifetimeMs, laterPercent) => {
        const made = { notBefore: new Date(now - HOUR), notAfter: new Date(now + lifetimeMs) };
        expect(isRenewalDue(made, now + (lifetimeMs * laterPercent) / 100, lifetimeMs)).toBe(false);
      }),
    );
  });
});
