import { describe, expect, it } from 'vitest';
import { openGrant, sealSession } from '../../../src/auth/grant-box.ts';
import { SealedBox } from '../../../src/auth/sealed-box.ts';
import { createSessionToken, isSessionToken } from '../../../src/auth/session-token.ts';
import { Secret } from '../../../src/core/secret.ts';

const box = new SealedBox(new Secret(Buffer.alloc(32, 1)));

describe('the record of a session', () => {
  it('opens with the same key beside its own hash only', () => {
    const one = sealSession(box, 'token one', 'ada@example.com', '1//grant');
    const two = sealSession(box, 'token two', 'bob@example.com', '1//other');
    expect(openGrant(box, one)).toBe('1//grant');
    expect(() => openGrant(box, { ...one, tokenHash: two.tokenHash })).toThrow();
    expect(() => openGrant(new SealedBox(new Secret(Buffer.alloc(32, 2))), one)).toThrow();
  });

  it('holds neither token nor grant', () => {
    const { tokenHash, sealedGrant } = sealSession(box, 'token one', 'ada@example.com', '1//grant');
    expect(tokenHash).toHaveLength(32);
    expect(Buffer.concat([tokenHash, sealedGrant]).toString('latin1')).not.toMatch(/token one|1\/\/grant/);
  });
});

describe('a token of ours', () => {
  it('has 256 random bits behind a prefix', () => {
    const tokens = Array.from({ length: 100 }, createSessionToken);
    expect(new Set(tokens).size).toBe(100);
    for (const token of tokens) {
      expect(token).toMatch(/^drp_[\w-]{43}$/);
      expect(isSessionToken(token)).toBe(true);
    }
    expect(isSessionToken('1//drp_')).toBe(false);
  });
});
