import { readFile } from 'node:fs/promises';

/** Mount options without which files that an instance makes could act on the host (mount(8)). */
const REQUIRED = ['nodev', 'nosuid', 'noexec'];

/** The options that the mount of the data directory lacks, from the table of mounts of this process. */
export async function listMissingMountOptions(dataPath: string): Promise<string[]> {
  return findMissingMountOptions(await readFile('/proc/self/mountinfo', 'utf8'), dataPath);
}

/**
 * The same from a table of mounts in the form of proc_pid_mountinfo(5): the fifth field is the mount point, the sixth has
 * the options. Of mounts one above another the last one counts.
 */
export function findMissingMountOptions(mountinfo: string, dataPath: string): string[] {
  let found = { point: '', options: '' };
  for (const line of mountinfo.split('\n')) {
    const [, , , , escaped = '', options = ''] = line.split(' ');
    const point = escaped.replaceAll(/\\([0-7]{3})/g, (_match, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (point !== '' && contains(point, dataPath) && point.length >= found.point.length)
      found = { point, options };
  }
  const present = found.options.split(',');
  return REQUIRED.filter((option) => !present.includes(option));
}

function contains(point: string, path: string): boolean {
  return path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
}
