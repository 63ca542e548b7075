import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { getInstallation, IMAGE_UID_BASE, INSTANCE_PORTS } from './installation.ts';
import { isOwnUid, listProcesses } from './processes.ts';
import { waitUntil } from './wait.ts';

/** What the program has on the host at a moment, in forms that can be compared. */
export interface HostState {
  /** Paths below the data directory. */
  subvolumes: string[];
  /** Folders of configuration, sockets and work. */
  folders: string[];
  /** Uids of images and instances that have processes. */
  uids: number[];
  /** Ports of the instances' range that somebody listens on. */
  ports: number[];
  /** Scripts at work as root; not those that were started in advance and wait. */
  scripts: string[];
}

/** Looks at everything that an image or an instance could leave behind. */
export async function readHostState(): Promise<HostState> {
  const { data, run: runPath, scripts } = getInstallation();
  const processes = await listProcesses();
  const atWork = await Promise.all(
    processes
      // Not what looks at host.conf for one that is about to wait.
      .filter(({ command }) => command.includes(`${scripts}/`) && !command.endsWith('/host.conf'))
      .map(async ({ pid, command }) => (command.endsWith(' wait') && !(await hasLock(pid)) ? [] : [command])),
  );
  const folders = await Promise.all(
    [join(data, 'instance_config'), join(runPath, 'instances'), join(runPath, 'images')].map(listFolder),
  );
  return {
    subvolumes: await listSubvolumes(data),
    folders: folders.flat().sort(),
    uids: unique(processes.map(({ uid }) => uid).filter(isOwnUid)),
    ports: unique(await listListeningPorts()),
    scripts: atWork.flat(),
  };
}

/**
 * The same once no script is at work: scripts notice the end of their server by themselves, and a server that has just started
 * looks at its instances with one.
 */
export function readQuietState(): Promise<HostState> {
  return waitUntil('the scripts end', async () => {
    const state = await readHostState();
    return state.scripts.length === 0 && state;
  });
}

/** A script that has begun holds the lock of its object, as its descriptor 9 (scripts/lib/lock.sh). */
function hasLock(pid: number): Promise<boolean> {
  return access(`/proc/${pid}/fd/9`).then(
    () => true,
    () => false,
  );
}

/** What there is of one image, while others may be at work. */
export async function readImageState(
  id: number,
): Promise<Pick<HostState, 'subvolumes' | 'folders' | 'uids' | 'scripts'>> {
  const { subvolumes, folders, uids, scripts } = await readHostState();
  return {
    subvolumes: subvolumes.filter((path) => path.startsWith('image_') && path.endsWith(`/${id}`)),
    folders: folders.filter((path) => path.endsWith(`/images/${id}`)),
    uids: uids.filter((uid) => uid === IMAGE_UID_BASE + id),
    scripts: scripts.filter((command) => command.endsWith(`-image ${id}`)),
  };
}

/** Ports of the instances' range that somebody listens on, IPv4 or IPv6 (proc_pid_net(5): state 0A is LISTEN). */
export async function listListeningPorts(): Promise<number[]> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const sockets = tables.join('\n').matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm);
  return [...sockets]
    .map(([, port = '']) => Number.parseInt(port, 16))
    .filter((port) => port >= INSTANCE_PORTS.min && port < INSTANCE_PORTS.max);
}

async function listSubvolumes(data: string): Promise<string[]> {
  const lines = (await run(['btrfs', 'subvolume', 'list', data])).split('\n');
  return lines.flatMap((line) => / path (.*)$/.exec(line)?.[1] ?? []).sort();
}

async function listFolder(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.map((name) => join(folder, name));
}

function unique(numbers: number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}
