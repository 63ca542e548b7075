import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Laps } from '../../../src/core/laps.ts';

describe('laps', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('are the times between the ends of the parts, and add up', () => {
    const laps = new Laps();
    vi.advanceTimersByTime(3);
    laps.end('reserve');
    vi.advanceTimersByTime(40);
    laps.end('start');
    vi.advanceTimersByTime(1000);
    expect(laps.parts).toEqual({ reserve: 3, start: 40 });
    expect(laps.totalMs).toBe(43);
  });
});
