import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { findProcesses } from '../../../src/quickstart/daemon.ts';

it('finds what runs with a command line, and nothing that only begins like it', async () => {
  const program = [process.execPath, '-e', 'console.log(); process.stdin.resume()', '--', 'first'];
  const start = async (...more: string[]) => {
    const [file = '', ...args] = [...program, ...more];
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    return child;
  };
  const children = await Promise.all([start(), start('second')]);
  expect(await findProcesses(program)).toEqual([children[0].pid]);
  for (const child of children) {
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  }
  expect(await findProcesses(program)).toEqual([]);
});
