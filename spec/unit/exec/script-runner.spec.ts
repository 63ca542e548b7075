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

  it.each([
    ['its exit code', 'exit 74'],
    ['the words of a program', 'echo "cp: /x: No space left on device" >&2; exit 1'],
  ])('is known by %s to have found no space', async (_how, body) => {
    const scripts = new StubScripts({ 'draupnir-destroy-image': body });
    await expect(scripts.run('draupnir-destroy-image', [1])).rejects.toMatchObject({
      kind: 'insufficient_disk',
    });
  });

  it('fails when it was killed, or is not there', async () => {
    const scripts = new StubScripts({ 'draupnir-stop-instance': 'kill -9 $$' });
    const failure = { name: 'ScriptError', exitCode: undefined };
    await expect(scripts.run('draupnir-stop-instance', [1])).rejects.toMatchObject(failure);
    await expect(scripts.run('draupnir-create-image', [1])).rejects.toMatchObject(failure);
  });
});

describe('what a script prints for the operator', () => {
  it('is handed on when the script has succeeded', async () => {
    const notices: string[] = [];
    const scripts = new StubScripts(
      { 'draupnir-create-image': 'echo "notice: no cgroups" >&2' },
      undefined,
      (script, notice) => notices.push(`${script}: ${notice}`),
    );
    await scripts.run('draupnir-create-image', [1]);
    expect(notices).toEqual(['draupnir-create-image: notice: no cgroups']);
  });

  it('is the reason when it has failed, and nothing when there is none', async () => {
    const notices: string[] = [];
    const onNotice = (_script: string, notice: string): void => void notices.push(notice);
    const scripts = new StubScripts(
      { 'draupnir-create-image': 'echo why >&2; exit 70', 'draupnir-destroy-image': 'true' },
      undefined,
      onNotice,
    );
    await expect(scripts.run('draupnir-create-image', [1])).rejects.toMatchObject({ reason: 'why' });
    await scripts.run('draupnir-destroy-image', [1]);
    expect(notices).toEqual([]);
  });
});
