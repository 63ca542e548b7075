import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Root alone can make files in /run. */
const FILE = '/run/draupnir-quickstart.lock';

/** Keeps other quickstarts of this host from choosing numbers, users and files during the work. */
export async function withHostLock<T>(work: () => Promise<T>): Promise<T> {
  // flock(1) holds the lock until our end of the pipe is closed, also when this process is killed.
  const holder = spawn('flock', [FILE, 'sh', '-c', 'echo held; read -r end'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  try {
    const isHeld = await Promise.race([
      once(holder.stdout, 'data').then(() => true),
      ended.then(() => false),
    ]);
    if (!isHeld) throw new Error(`${FILE} cannot be locked`);
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
