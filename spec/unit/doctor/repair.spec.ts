import { describe, expect, it } from 'vitest';
import type { Finding, Repair } from '../../../src/doctor/finding.ts';
import { mark, type Repairer, treat } from '../../../src/doctor/repair.ts';

class FakeRepairer implements Repairer {
  readonly repaired: string[] = [];

  repair({ action, id }: Repair): Promise<void> {
    if (id === 13) return Promise.reject(Object.assign(new Error('x'), { reason: 'it is being worked on' }));
    this.repaired.push(`${action} ${id}`);
    return Promise.resolve();
  }
}

function createFinding(object: string, repair?: Repair): Finding {
  return { invariant: 'I3', object, message: 'is wrong', hint: 'look', ...(repair && { repair }) };
}

describe('the repairs of doctor', () => {
  it('do each thing once, and what findings do not ask for never', async () => {
    const repairer = new FakeRepairer();
    const findings = [
      createFinding('a', { action: 'start-instance', id: 1 }),
      createFinding('b', { action: 'start-instance', id: 1 }),
      createFinding('c'),
      createFinding('d', { action: 'tidy-image', id: 1 }),
    ];
    const done = await treat(findings, repairer);
    expect(repairer.repaired).toEqual(['start-instance 1', 'tidy-image 1']);
    expect([...done.keys()]).toEqual(['I3 a: is wrong', 'I3 b: is wrong', 'I3 d: is wrong']);
    expect(done.get('I3 b: is wrong')).toBe('started the instance');
  });

  it('restart instead of starting where both are asked for', async () => {
    const repairer = new FakeRepairer();
    const start = createFinding('a', { action: 'start-instance', id: 1 });
    await treat([start, createFinding('b', { action: 'restart-instance', id: 1 })], repairer);
    expect(repairer.repaired).toEqual(['restart-instance 1']);
  });

  it('go on after one that fails, and say why it did', async () => {
    const repairer = new FakeRepairer();
    const bad = createFinding('a', { action: 'tidy-image', id: 13 });
    const done = await treat([bad, createFinding('b', { action: 'tidy-image', id: 2 })], repairer);
    expect(done.get('I3 a: is wrong')).toBe('tried, and failed: it is being worked on');
    expect(repairer.repaired).toEqual(['tidy-image 2']);
  });

  it('count as done when the finding is gone afterwards, and not before', () => {
    const [one, two, three] = [createFinding('a'), createFinding('b'), createFinding('c')];
    const done = new Map([['I3 a: is wrong', 'started the instance']]);
    expect(mark([one, two], done, [two, three])).toEqual([
      { ...one, fixed: true, done: 'started the instance' },
      { ...two, fixed: false },
      { ...three, fixed: false },
    ]);
  });
});
