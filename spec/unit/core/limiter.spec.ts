import { describe, expect, it } from 'vitest';
import { Limiter } from '../../../src/core/limiter.ts';

describe('a limiter', () => {
  it('runs as many at once as it may, the others in their turn, and refuses what the queue does not hold', async () => {
    const limiter = new Limiter({ concurrency: 2, queueLength: 1 });
    const tasks = [1, 2, 3].map(() => Promise.withResolvers<undefined>());
    const begun: number[] = [];
    const running = tasks.map((task, index) =>
      limiter.run(() => {
        begun.push(index);
        return task.promise;
      }),
    );
    await Promise.resolve();
    expect(begun).toEqual([0, 1]);
    expect(() => limiter.run(() => Promise.resolve())).toThrow(expect.objectContaining({ kind: 'too_busy' }));
    tasks[1]?.resolve(undefined);
    await running[1];
    await expect.poll(() => begun).toEqual([0, 1, 2]);
    for (const task of tasks) task.resolve(undefined);
    await Promise.all(running);
    expect(await limiter.run(() => Promise.resolve('again'))).toBe('again');
  });

  it('has room again after a task that failed', async () => {
    const limiter = new Limiter({ concurrency: 1, queueLength: 0 });
    await expect(limiter.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    await expect.poll(() => limiter.run(() => Promise.resolve(1)).catch(() => 0)).toBe(1);
  });
});
