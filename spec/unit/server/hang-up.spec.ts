import { describe, expect, it } from 'vitest';
import { HangUpAction } from '../../../src/server/hang-up.ts';

/** Sends SIGHUP to this process; resolves when its listeners have run. */
async function hangUp(): Promise<void> {
  const received = new Promise((resolve) => process.once('SIGHUP', resolve));
  process.kill(process.pid, 'SIGHUP');
  await received;
}

describe('SIGHUP', () => {
  it('runs the action at each signal, and once for those before there was one', async () => {
    const before = process.listenerCount('SIGHUP');
    let runs = 0;
    {
      using action = new HangUpAction();
      await hangUp();
      await hangUp();
      action.set(() => runs++);
      expect(runs).toBe(1);
      await hangUp();
      expect(runs).toBe(2);
    }
    expect(process.listenerCount('SIGHUP')).toBe(before);
  });
});
