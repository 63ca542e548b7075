import { readFile } from 'node:fs/promises';

/** What `/proc/PID/stat` says of a process. */
export interface ProcStat {
  /** One letter, proc_pid_stat(5). */
  state: string;
  /** In clock ticks after boot; tells a process from a later one with the same id. */
  startTime: string;
}

/** Looks up a process, whoever it belongs to; undefined when there is none. */
export async function readProcStat(pid: number): Promise<ProcStat | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The name, in parentheses, may hold anything; state is the 3rd field, the start time the 22nd.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
}

/** Whether a process has ended; a zombie that nobody has reaped yet has. */
export function hasEnded(stat: ProcStat | undefined): boolean {
  return stat === undefined || /^[ZXx]$/.test(stat.state);
}
