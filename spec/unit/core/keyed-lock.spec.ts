import { describe, expect, it } from 'vitest';
import { KeyedLock } from '../../../src/core/keyed-lock.ts';

describe('a keyed lock', () => {
  it('runs what concerns one key in order, one at a time, though one of them fails', async () => {
    const lock = new KeyedLock<number>();
    const gate = Promise.withResolvers<undefined>();
    const seen: string[] = [];
    const first = lock.run(1, async () => {
      seen.push('first begins');
      await gate.promise;
      seen.push('first fails');
      throw new Error('first');
    });
    const second = lock.run(1, () => Promise.resolve(seen.push('second')));
    const third = lock.run(1, () => Promise.resolve(seen.push('third')));
    await lock.run(2, () => Promise.resolve(seen.push('another key')));
    gate.resolve(undefined);
    await expect(first).rejects.toThrow('first');
    await Promise.all([second, third]);
    expect(seen).toEqual(['first begins', 'another key', 'first fails', 'second', 'third']);
  });

  it('lets one that is asked for later wait as well, once the first has ended', async () => {
    const lock = new KeyedLock<number>();
    const gate = Promise.withResolvers<undefined>();
    const seen: string[] = [];
    const first = lock.run(1, () => Promise.resolve(seen.push('first')));
    const second = lock.run(1, async () => {
      await gate.promise;
      seen.push('second');
    });
    await first;
    const third = lock.run(1, () => Promise.resolve(seen.push('third')));
    gate.resolve(undefined);
    await Promise.all([second, third]);
    expect(seen).toEqual(['first', 'second', 'third']);
  });

  it('tells when all has ended', async () => {
    const lock = new KeyedLock<string>();
    const gate = Promise.withResolvers<undefined>();
    let ended = 0;
    const work = async (): Promise<void> => {
      await gate.promise;
      ended++;
    };
    void lock.run('a', work);
    void lock.run('a', work);
    void lock.run('b', work);
    const settled = lock.settled().then(() => ended);
    gate.resolve(undefined);
    expect(await settled).toBe(3);
  });
});
