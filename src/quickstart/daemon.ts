import { open, readdir, readFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { findErrorCode } from '../cli/failure.ts';
import { asUser } from './host.ts';
import type { Layout } from './layout.ts';
import { writeMade } from './made.ts';
import type { Made } from './made.ts';

const POLL_MS = 20;

/** A program that goes on when quickstart has ended; its output goes to a file. */
export interface Daemon {
  name: string;
  user: string;
  argv: readonly string[];
  logFile: string;
}

/** Starts a daemon in a session of its own and records its process id. */
export async function startDaemon(layout: Layout, made: Made, daemon: Daemon): Promise<number> {
  const log = await open(daemon.logFile, 'a', 0o600);
  try {
    const [file = '', ...args] = asUser(daemon.user, daemon.argv);
    const child = spawn(file, args, {
      cwd: '/',
      detached: true,
      env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' },
      stdio: ['ignore', log.fd, log.fd],
    });
    child.unref();
    if (child.pid === undefined) throw new Error(`cannot start ${file}`);
    made.processes[daemon.name] = child.pid;
    await writeMade(layout, made);
    return child.pid;
  } finally {
    await log.close();
  }
}

/**
 * Waits until `ready` answers true. Throws with the end of the log when the process ends before, or time runs out. At
 * first the process may still be setpriv(1), which becomes the daemon.
 */
export async function waitUntilReady(
  daemon: Daemon,
  pid: number,
  ready: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await ready())) {
    if (!(await isAlive(pid)) || performance.now() > deadline) {
      const log = await readFile(daemon.logFile, 'utf8');
      throw new Error(`the ${daemon.name} does not start; ${daemon.logFile} ends with:\n${log.slice(-2000)}`);
    }
    await delay(POLL_MS);
  }
}

/** Stops a recorded daemon and waits for its end. One that has ended already is fine. */
export async function stopDaemon(
  layout: Layout,
  made: Made,
  daemon: Pick<Daemon, 'name' | 'argv'>,
  signal: NodeJS.Signals,
): Promise<void> {
  const pid = made.processes[daemon.name];
  if (pid !== undefined) {
    const deadline = performance.now() + 40_000;
    for (let next = signal; await isRunning(pid, daemon); next = 'SIGCONT') {
      sendSignal(pid, performance.now() > deadline ? 'SIGKILL' : next);
      await delay(POLL_MS);
    }
  }
  made.processes = Object.fromEntries(
    Object.entries(made.processes).filter(([name]) => name !== daemon.name),
  );
  await writeMade(layout, made);
}

/** Sends a signal. A process that has ended since it was looked at gets none (kill(2), ESRCH). */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (findErrorCode(error) !== 'ESRCH') throw error;
  }
}

/** Whether the process lives and is that program: after a reboot its id may belong to another. */
export async function isRunning(pid: number, daemon: Pick<Daemon, 'argv'>): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.startsWith(`${daemon.argv[0] ?? ''}\0`) && (await isAlive(pid));
}

/** Whether there is such a process, and it is more than an entry in the table (proc_pid_stat(5)). */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

/** Process ids of all that run with exactly this command line, whoever has started them. */
export async function findProcesses(argv: readonly string[]): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^[1-9][0-9]*$/.test(name)) continue;
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (command === argv.map((word) => `${word}\0`).join('')) found.push(Number(name));
  }
  return found;
}
