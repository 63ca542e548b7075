import { describe, expect, it } from 'vitest';
import { IdentityCache } from '../../../src/auth/identity-cache.ts';
import type { Caller } from '../../../src/core/caller.ts';

const ADA: Caller = { role: 'developer', email: 'ada@example.com' };

function createCache() {
  const clock = { now: 1_000_000 };
  const cache = new IdentityCache({ ttlMs: 60_000, refusalTtlMs: 5000, maxEntries: 3, now: () => clock.now });
  return { cache, clock };
}

describe('IdentityCache', () => {
  it('knows a caller until the time is over', () => {
    const { cache, clock } = createCache();
    expect(cache.find('a')).toBeUndefined();
    cache.accept('a', ADA);
    clock.now += 59_999;
    expect(cache.find('a')?.caller).toBe(ADA);
    clock.now += 1;
    expect(cache.find('a')).toBeUndefined();
  });

  it('knows for a moment that a token was refused', () => {
    const { cache, clock } = createCache();
    cache.refuse('a');
    clock.now += 4999;
    expect(cache.find('a')).toMatchObject({ caller: undefined });
    clock.now += 1;
    expect(cache.find('a')).toBeUndefined();
  });

  it('believes what came last', () => {
    const { cache } = createCache();
    cache.accept('a', ADA);
    cache.refuse('a');
    expect(cache.find('a')?.caller).toBeUndefined();
    cache.accept('a', ADA);
    expect(cache.find('a')?.caller).toBe(ADA);
  });

  it('does not come back to a refusal when the time of a caller is over', () => {
    const clock = { now: 1_000_000 };
    const cache = new IdentityCache({ ttlMs: 1000, refusalTtlMs: 5000, now: () => clock.now });
    cache.refuse('a');
    cache.accept('a', ADA);
    clock.now += 1000;
    expect(cache.find('a')).toBeUndefined();
  });

  it('forgets the oldest when it is full, and no caller for refused tokens', () => {
    const { cache } = createCache();
    for (const key of ['a', 'b', 'c']) cache.accept(key, ADA);
    cache.accept('a', ADA);
    for (let token = 0; token < 100; token++) cache.refuse(`bad ${token}`);
    cache.accept('d', ADA);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.find(key)?.caller?.email)).toEqual([
      ADA.email,
      undefined,
      ADA.email,
      ADA.email,
    ]);
    expect(cache.find('bad 96')).toBeUndefined();
    expect(cache.find('bad 97')).toBeDefined();
  });
});
