import { describe, expect, it } from 'vitest';
import { StubScripts } from './stub-scripts.ts';

describe('a script that asks nothing', () => {
  it('is run with its numbers and an empty stdin, and gives its lines', async () => {
    const scripts = new StubScripts({ 'draupnir-start-instance': 'cat; echo "id $1"; echo done' });
    expect(await scripts.run('draupnir-start-instance', [12])).toEqual(['id 12', 'done']);
  });

  it.each([1, 64, 70, 143])('fails with exit code %i and its reason', async (code) => {
    const scripts = new StubScripts({ 'draupnir-destroy-image': `echo half; echo why >&2; exit ${code}` });
    await expect(scripts.run('draupnir-destroy-image', [1])).rejects.toMatchObject({
      name: 'ScriptError',
      script: 'draupnir-destroy-image',
      exitCode: code,
      reason: 'why',
    });
  });

  it('fails when it was killed, or is not there', async () => {
    const scripts = new StubScripts({ 'draupnir-stop-instance': 'kill -9 $$' });
    const failure = { name: 'ScriptError', exitCode: undefined };
    await expect(scripts.run('draupnir-stop-instance', [1])).rejects.toMatchObject(failure);
    await expect(scripts.run('draupnir-create-image', [1])).rejects.toMatchObject(failure);
  });
});
