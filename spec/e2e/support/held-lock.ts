import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { getInstallation } from './installation.ts';

/** Holds a lock of the scripts, such as `instance-1`, which keeps them waiting; resolves to what releases it. */
export async function holdLock(name: string): Promise<() => Promise<void>> {
  const file = join(getInstallation().run, `${name}.lock`);
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return async () => {
    const ended = once(holder, 'exit');
    holder.stdin.end();
    await ended;
  };
}
