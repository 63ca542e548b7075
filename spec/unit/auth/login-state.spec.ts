import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStrongState } from '../../../src/auth/login-state.ts';

describe('isStrongState', () => {
  it('takes what a random generator makes', () => {
    for (let round = 0; round < 1000; round++) {
      expect(isStrongState(randomUUID())).toBe(true);
      expect(isStrongState(randomBytes(16).toString('hex'))).toBe(true);
      expect(isStrongState(randomBytes(12).toString('base64url'))).toBe(true);
    }
    expect(isStrongState('0123456789abcdef'.repeat(16))).toBe(true);
    expect(isStrongState('abcdef'.repeat(3))).toBe(true);
  });

  it.each([
    '',
    '0123456789abcde',
    '0'.repeat(40),
    'ab'.repeat(20),
    'abcde'.repeat(5),
    `${'0123456789abcdef'.repeat(16)}x`,
  ])('refuses %j', (state) => {
    expect(isStrongState(state)).toBe(false);
  });

  it('refuses what needs escaping, in a URL or in HTML', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 5 }), (noise) => {
        fc.pre(/[^\w.~-]/.test(noise));
        expect(isStrongState(`0123456789abcdef${noise}`)).toBe(false);
      }),
    );
  });

  it('takes the numbers of the original client only when told to', () => {
    for (const state of ['0', '7', '1298498081', '2147483647']) {
      expect([isStrongState(state), isStrongState(state, true)]).toEqual([false, true]);
    }
    for (const state of ['', '01', '-1', '1e5', '12984980811', 'abc']) {
      expect(isStrongState(state, true)).toBe(false);
    }
  });
});
