import { readdir, readFile } from 'node:fs/promises';
import { getProcessStatus } from './processes.ts';

/** What a process holds. */
export interface Footprint {
  /** Resident memory, in MiB. */
  rssMib: number;
  descriptors: number;
  children: number;
}

/** Looks at a process from outside. */
export async function readFootprint(pid: number): Promise<Footprint> {
  const rss = Number.parseInt(await getProcessStatus(pid, 'VmRSS'), 10);
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  const children = lists.join(' ').split(/\s+/).filter(Boolean);
  return { rssMib: rss / 1024, descriptors: descriptors.length, children: children.length };
}
