import { findMount, readMountTable } from '../exec/mount-table.ts';

/** Mount options without which files that an instance makes could act on the host (mount(8)). */
const REQUIRED = ['nodev', 'nosuid', 'noexec'];

/** The options that the mount of the data directory lacks, from the table of mounts of this process. */
export async function listMissingMountOptions(dataPath: string): Promise<string[]> {
  return findMissingMountOptions(await readMountTable(), dataPath);
}

/** The same from a table of mounts in the form of proc_pid_mountinfo(5). */
export function findMissingMountOptions(mountinfo: string, dataPath: string): string[] {
  const present = findMount(mountinfo, dataPath)?.options ?? [];
  return REQUIRED.filter((option) => !present.includes(option));
}
