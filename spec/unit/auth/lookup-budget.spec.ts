import { describe, expect, it } from 'vitest';
import { LookupBudget } from '../../../src/auth/lookup-budget.ts';

describe('LookupBudget', () => {
  it('has so many look-ups each minute', () => {
    let now = 5_000_000;
    const budget = new LookupBudget({ max: 2, now: () => now });
    const take = (): void => budget.take();
    for (let minute = 0; minute < 3; minute++) {
      take();
      take();
      expect(take).toThrow('too many unknown tokens are being looked up');
      now += 59_999;
      expect(take).toThrow(expect.objectContaining({ kind: 'identity_provider_unavailable' }) as Error);
      now += 1;
    }
  });

  it('is not exhausted for long by a clock that was set back', () => {
    let now = 5_000_000;
    const budget = new LookupBudget({ max: 1, now: () => now });
    budget.take();
    now -= 3_600_000;
    budget.take();
  });
});
