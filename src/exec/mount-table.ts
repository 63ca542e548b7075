import { readFile } from 'node:fs/promises';

/** A line of the table of mounts, proc_pid_mountinfo(5). */
export interface Mount {
  point: string;
  options: readonly string[];
  /** The device, for a file system that is on one. */
  source: string;
}

/** The table of mounts of this process. */
export function readMountTable(): Promise<string> {
  return readFile('/proc/self/mountinfo', 'utf8');
}

/**
 * The mount that a path is on; undefined when the table is empty. The fifth field is the mount point, the sixth has the options;
 * a lone hyphen separates optional fields from type and source. Of mounts one above another the last one counts.
 */
export function findMount(mountinfo: string, path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ', 2);
    const [, , , , point = '', options = ''] = before.split(' ').map(unescape);
    if (point === '' || !contains(point, path) || point.length < (found?.point.length ?? 0)) continue;
    found = { point, options: options.split(','), source: unescape(after.split(' ')[1] ?? '') };
  }
  return found;
}

/** Spaces and the like stand in the table as three octal digits. */
function unescape(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_match, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function contains(point: string, path: string): boolean {
  return path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
}
