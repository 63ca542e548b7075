import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { sendSignal } from '../../../src/quickstart/daemon.ts';

describe('a signal', () => {
  it('is not missed by a process that has just ended', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    expect(() => {
      sendSignal(child.pid ?? 0, 'SIGTERM');
    }).not.toThrow();
  });

  it('reaches a process that runs', async () => {
    const child = spawn('sleep', ['1000']);
    sendSignal(child.pid ?? 0, 'SIGTERM');
    expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
  });
});
