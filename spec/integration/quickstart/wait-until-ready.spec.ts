import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { waitUntilReady } from '../../../src/quickstart/daemon.ts';

let dir: string;
let child: ChildProcess;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'draupnir-daemon-'));
  // What becomes the daemon later, as setpriv(1) does on a busy host.
  child = spawn('sh', ['-c', 'read -r go && exec sleep 1000'], { stdio: ['pipe', 'ignore', 'inherit'] });
});
afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  await rm(dir, { recursive: true });
});

const describeDaemon = () => ({
  name: 'sleeper',
  user: 'root',
  argv: ['sleep', '1000'],
  logFile: join(dir, 'log'),
});

it('waits for a daemon whose process is still another program', async () => {
  let looks = 0;
  await waitUntilReady(describeDaemon(), child.pid ?? 0, () => {
    looks++;
    if (looks === 2) child.stdin?.write('go\n');
    return Promise.resolve(looks === 4);
  });
  expect(looks).toBe(4);
});

it('reports the end of the log when the process has ended', async () => {
  await writeFile(join(dir, 'log'), 'the reason\n');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  await expect(
    waitUntilReady(describeDaemon(), child.pid ?? 0, () => Promise.resolve(false)),
  ).rejects.toThrow(/^the sleeper does not start; .* ends with:\nthe reason\n$/);
});
