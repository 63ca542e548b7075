import { readFile } from 'node:fs/promises';

/** What `/proc/PID/stat` says of a process. */
export interface ProcStat {
  /** One letter, proc_pid_stat(5). */
  state: string;
  /** In clock ticks after boot; tells a process from a later one with the same id. */
  startTime: string;
}

/**
 * Looks up a process of any user; undefined when there is none. Where /proc hides the processes of other users (proc(5),
 * `hidepid`; systemd.exec(5), `ProtectProc=`), only that it exists is known: state and start time are empty.
 */
export async function readProcStat(pid: number): Promise<ProcStat | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return isOfAnotherUser(pid) ? { state: '', startTime: '' } : undefined;
  // The name, in parentheses, may hold anything; state is the 3rd field, the start time the 22nd.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
}

/** Whether this process can see the state of other users' processes: process 1 belongs to root. */
export async function canSeeProcesses(): Promise<boolean> {
  return (await readProcStat(1))?.state !== '';
}

/** kill(2) with signal 0: EPERM for a process of another user, ESRCH when there is none. */
function isOfAnotherUser(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether a process has ended; a zombie that nobody has reaped yet has. */
export function hasEnded(stat: ProcStat | undefined): boolean {
  return stat === undefined || /^[ZXx]$/.test(stat.state);
}
