import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ProcPostmasters } from '../../../src/exec/proc-postmasters.ts';

function startProcess(): ChildProcess & { pid: number } {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child as ChildProcess & { pid: number };
}

describe('the postmasters, as /proc shows them', () => {
  it('are alive until they end', async () => {
    const postmasters = new ProcPostmasters();
    const child = startProcess();
    await postmasters.remember(7, child.pid);
    expect(await postmasters.isAlive(7)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await postmasters.isAlive(7)).toBe(false);
  });

  it('are not alive while they are suspended', async () => {
    const postmasters = new ProcPostmasters();
    const child = startProcess();
    await postmasters.remember(7, child.pid);
    child.kill('SIGSTOP');
    await vi.waitUntil(async () => !(await postmasters.isAlive(7)));
    child.kill('SIGCONT');
    await vi.waitUntil(() => postmasters.isAlive(7));
  });

  it('are not alive when they were never seen, have gone before, or were forgotten', async () => {
    const postmasters = new ProcPostmasters();
    const child = startProcess();
    expect(await postmasters.isAlive(7)).toBe(false);
    await postmasters.remember(7, child.pid);
    postmasters.forget(7);
    expect(await postmasters.isAlive(7)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await postmasters.remember(7, child.pid);
    expect(await postmasters.isAlive(7)).toBe(false);
  });
});
