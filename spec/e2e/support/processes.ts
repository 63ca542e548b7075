import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { IMAGE_UID_BASE, INSTANCE_UID_BASE, UID_COUNT } from './installation.ts';

/** A process that runs; one that has ended but was not yet reaped does not count. */
export interface Process {
  pid: number;
  /** Real uid. */
  uid: number;
  /** Arguments joined by spaces, or the title that the process gave itself. */
  command: string;
}

/** All processes of the host. They are read one after the other, which takes half of the time of reading them at once. */
export async function listProcesses(): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  return pids.map(findProcess).filter((process) => process !== undefined);
}

/** Whether a uid is one that images under preparation or instances run under. */
export function isOwnUid(uid: number): boolean {
  return [IMAGE_UID_BASE, INSTANCE_UID_BASE].some((base) => uid >= base && uid < base + UID_COUNT);
}

/** The processes of one uid. */
export async function listProcessesOf(uid: number): Promise<Process[]> {
  return (await listProcesses()).filter((process) => process.uid === uid);
}

/** A field of `/proc/PID/status` (proc_pid_status(5)), such as `Uid`. */
export async function getProcessStatus(pid: number, field: string): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const value = new RegExp(`^${field}:[ \\t]*(.*?) ?$`, 'm').exec(status)?.[1];
  if (value === undefined) throw new Error(`no ${field} in /proc/${pid}/status`);
  return value;
}

/** Sends a signal; a process that has ended meanwhile is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function findProcess(pid: string): Process | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (/^State:\s*[ZX]/m.test(status)) return undefined;
    const uid = Number(/^Uid:\s*([0-9]+)/m.exec(status)?.[1]);
    return { pid: Number(pid), uid, command: command.replaceAll('\0', ' ').trim() };
  } catch {
    // It has ended between the two looks.
    return undefined;
  }
}
