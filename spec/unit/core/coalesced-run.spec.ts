import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CoalescedRun } from '../../../src/core/coalesced-run.ts';

/** Runs that end when the test says so. */
class Runs {
  readonly open: PromiseWithResolvers<undefined>[] = [];
  count = 0;
  most = 0;

  readonly run = new CoalescedRun(async () => {
    this.count++;
    const gate = Promise.withResolvers<undefined>();
    this.open.push(gate);
    this.most = Math.max(this.most, this.open.length);
    try {
      await gate.promise;
    } finally {
      this.open.splice(this.open.indexOf(gate), 1);
    }
  });
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('coalesced runs', () => {
  it('give everybody who asks during one run the next, and that once', async () => {
    const runs = new Runs();
    const first = runs.run.run();
    const others = [runs.run.run(), runs.run.run(), runs.run.run()];
    expect(runs.count).toBe(1);
    runs.open[0]?.resolve(undefined);
    await first;
    await turn();
    expect(runs.count).toBe(2);
    runs.open[0]?.resolve(undefined);
    await Promise.all(others);
    expect(runs.count).toBe(2);
    expect(runs.run.busy).toBe(false);
  });

  it('do not let those who come later pay for the failure of an earlier one', async () => {
    const runs = new Runs();
    const first = runs.run.run();
    const second = runs.run.run();
    runs.open[0]?.reject(new Error('lock held'));
    await expect(first).rejects.toThrow('lock held');
    await turn();
    runs.open[0]?.resolve(undefined);
    await expect(second).resolves.toBeUndefined();
  });

  it('never overlap, and never leave a change out, however calls and ends follow each other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('ask', 'end', 'fail', 'turn')), async (events) => {
        let changes = 0;
        let seen = 0;
        const runs = new Runs();
        const run = new CoalescedRun(async () => {
          const now = changes;
          await runs.run.run();
          seen = now;
        });
        const asked: Promise<void>[] = [];
        for (const event of [...events, 'end', 'turn', 'end', 'turn', 'end', 'turn']) {
          if (event === 'ask') {
            const change = ++changes;
            asked.push(
              run.run().then(
                () => expect(seen).toBeGreaterThanOrEqual(change),
                () => undefined,
              ),
            );
          } else if (event === 'turn') await turn();
          else if (event === 'end') runs.open[0]?.resolve(undefined);
          else runs.open[0]?.reject(new Error('failed'));
        }
        await Promise.all(asked);
        expect(runs.most).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('begin at once, also for who asks in the moment another one ends', async () => {
    const runs = new Runs();
    const again = runs.run.run().then(() => runs.run.run());
    const shared = runs.run.run();
    runs.open[0]?.resolve(undefined);
    await turn();
    expect(runs.open).toHaveLength(1);
    runs.open[0]?.resolve(undefined);
    await turn();
    runs.open[0]?.resolve(undefined);
    await Promise.all([again, shared]);
    expect(runs.most).toBe(1);
  });
});
