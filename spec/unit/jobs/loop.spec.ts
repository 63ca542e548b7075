import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Loop } from '../../../src/jobs/loop.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A loop whose rounds end when the test says so. */
function createLoop() {
  const rounds: PromiseWithResolvers<undefined>[] = [];
  const signals: AbortSignal[] = [];
  const starts: number[] = [];
  const errors: object[] = [];
  const infos: object[] = [];
  const quiet = (): void => undefined;
  const loop = new Loop({
    name: 'test',
    intervalMs: 1000,
    round: (signal) => {
      const round = Promise.withResolvers<undefined>();
      rounds.push(round);
      signals.push(signal);
      starts.push(Date.now());
      return round.promise;
    },
    log: {
      info: (fields) => void infos.push(fields),
      warn: quiet,
      error: (fields) => void errors.push(fields),
    },
  });
  const end = (): void => rounds.at(-1)?.resolve(undefined);
  return { loop, rounds, signals, starts, errors, infos, end };
}

describe('a loop', () => {
  it('runs a round at once and then one an interval, counted from its start', async () => {
    const { loop, starts, end } = createLoop();
    const started = Date.now();
    loop.start();
    await vi.advanceTimersByTimeAsync(300);
    end();
    await vi.advanceTimersByTimeAsync(699);
    expect(starts).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    end();
    await vi.advanceTimersByTimeAsync(1000);
    expect(starts.map((time) => time - started)).toEqual([0, 1000, 2000]);
    end();
    await loop.stop();
  });

  it('never runs two rounds at once', async () => {
    const { loop, starts, end } = createLoop();
    loop.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(starts).toHaveLength(1);
    end();
    await vi.advanceTimersByTimeAsync(0);
    expect(starts).toHaveLength(2);
    end();
    await loop.stop();
  });

  it('goes on after a round that failed, and logs it', async () => {
    const { loop, rounds, errors, starts, end } = createLoop();
    loop.start();
    rounds[0]?.reject(new Error('no database'));
    await vi.advanceTimersByTimeAsync(1000);
    expect(errors).toMatchObject([{ loop: 'test' }]);
    expect(starts).toHaveLength(2);
    end();
    await loop.stop();
  });

  it('logs a failure that goes on once a minute, another one at once, and the end of it', async () => {
    const { loop, rounds, errors, infos, end } = createLoop();
    const fail = async (reason: string): Promise<void> => {
      rounds.at(-1)?.reject(new Error(reason));
      await vi.advanceTimersByTimeAsync(1000);
    };
    loop.start();
    for (let second = 0; second < 61; second++) await fail('no database');
    expect(errors).toMatchObject([{ failedRounds: 1 }, { failedRounds: 61 }]);
    await fail('no volume');
    expect(errors).toHaveLength(3);
    expect(infos).toEqual([]);
    end();
    await vi.advanceTimersByTimeAsync(1000);
    expect(infos).toEqual([{ loop: 'test', failedRounds: 62 }]);
    await fail('no database');
    expect(errors).toHaveLength(4);
    end();
    await loop.stop();
  });

  it('tells a round to end when it is stopped, waits for it, and starts no other', async () => {
    const { loop, signals, starts, end } = createLoop();
    loop.start();
    let stopped = false;
    const stopping = loop.stop().then(() => {
      stopped = true;
    });
    await vi.advanceTimersByTimeAsync(5000);
    expect([signals[0]?.aborted, stopped]).toEqual([true, false]);
    end();
    await stopping;
    await vi.advanceTimersByTimeAsync(5000);
    expect(starts).toHaveLength(1);
  });

  it('is not started by a timer that was set when it is stopped', async () => {
    const { loop, starts, end } = createLoop();
    loop.start();
    end();
    await vi.advanceTimersByTimeAsync(500);
    await loop.stop();
    await vi.advanceTimersByTimeAsync(5000);
    expect(starts).toHaveLength(1);
  });

  it('that is woken runs its next round at once, and the one after that an interval later', async () => {
    const { loop, starts, end } = createLoop();
    const started = Date.now();
    loop.start();
    end();
    await vi.advanceTimersByTimeAsync(300);
    loop.wake();
    await vi.advanceTimersByTimeAsync(0);
    end();
    await vi.advanceTimersByTimeAsync(1000);
    expect(starts.map((time) => time - started)).toEqual([0, 300, 1300]);
    end();
    await loop.stop();
  });

  it('that is woken during a round runs the next one right after it, once', async () => {
    const { loop, starts, end } = createLoop();
    const started = Date.now();
    loop.start();
    await vi.advanceTimersByTimeAsync(100);
    loop.wake();
    loop.wake();
    expect(starts).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(100);
    end();
    await vi.advanceTimersByTimeAsync(0);
    end();
    await vi.advanceTimersByTimeAsync(999);
    expect(starts.map((time) => time - started)).toEqual([0, 200]);
    await loop.stop();
  });

  it('cannot be woken before its start or after its stop', async () => {
    const { loop, starts, end } = createLoop();
    loop.wake();
    await vi.advanceTimersByTimeAsync(5000);
    expect(starts).toEqual([]);
    loop.start();
    end();
    await vi.advanceTimersByTimeAsync(0);
    await loop.stop();
    loop.wake();
    await vi.advanceTimersByTimeAsync(5000);
    expect(starts).toHaveLength(1);
  });
});
