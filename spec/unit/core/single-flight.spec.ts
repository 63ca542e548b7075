import { describe, expect, it } from 'vitest';
import { SingleFlight } from '../../../src/core/single-flight.ts';

describe('SingleFlight', () => {
  it('runs one operation for all that ask for the same key, and gives them its outcome', async () => {
    const flight = new SingleFlight<number, string>();
    const { promise, resolve } = Promise.withResolvers<string>();
    let runs = 0;
    const operation = (): Promise<string> => {
      runs++;
      return promise;
    };
    const answers = Promise.all([
      flight.run(1, operation),
      flight.run(1, operation),
      flight.run(1, operation),
    ]);
    resolve('done');
    expect(await answers).toEqual(['done', 'done', 'done']);
    expect(runs).toBe(1);
  });

  it('does not let one key wait for another', async () => {
    const flight = new SingleFlight<number, string>();
    const blocked = Promise.withResolvers<string>();
    void flight.run(1, () => blocked.promise);
    expect(await flight.run(2, () => Promise.resolve('two'))).toBe('two');
    expect(flight.has(1)).toBe(true);
    expect(flight.has(2)).toBe(false);
    blocked.resolve('one');
  });

  it('gives a failure to all who joined, and starts afresh for the next', async () => {
    const flight = new SingleFlight<string, string>();
    const fail = (): Promise<string> => Promise.reject(new Error('broken'));
    const outcomes = await Promise.allSettled([flight.run('a', fail), flight.run('a', fail)]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
    expect(flight.has('a')).toBe(false);
    expect(await flight.run('a', () => Promise.resolve('fine'))).toBe('fine');
  });

  it('settles when everything under way has ended, however it ended', async () => {
    const flight = new SingleFlight<number, string>();
    const good = Promise.withResolvers<string>();
    const bad = Promise.withResolvers<string>();
    const outcomes = Promise.allSettled([
      flight.run(1, () => good.promise),
      flight.run(2, () => bad.promise),
    ]);
    let settled = false;
    const waiting = flight.settled().then(() => (settled = true));
    good.resolve('fine');
    await flight.run(3, () => Promise.resolve(''));
    expect(settled).toBe(false);
    bad.reject(new Error('broken'));
    await waiting;
    expect((await outcomes).map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected']);
  });

  it('is settled at once when nothing runs', async () => {
    await expect(new SingleFlight().settled()).resolves.toBeUndefined();
  });
});
