import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listAccountUids, removeAccounts } from './accounts.ts';
import { removeTrees, run } from './command.ts';
import { PARENT, PREFIX, SUDOERS } from './installation.ts';
import { removeNamespaces } from './namespace.ts';
import { isOwnUid, listProcesses, type Process, signal } from './processes.ts';
import { stopSshd } from './sshd.ts';
import { unmountVolume } from './volume.ts';
import { waitUntil } from './wait.ts';

/** Names the test run that an installation belongs to. */
const OWNER = 'owner';

/** Marks an installation as belonging to this run. */
export async function claimInstallation(dir: string): Promise<void> {
  await writeFile(join(dir, OWNER), await describeRun(process.pid));
}

/** Removes installations of runs that were killed. Throws when one of them still goes on: users and ports are shared. */
export async function removeStaleInstallations(): Promise<void> {
  const names = (await readdir(PARENT)).filter((name) => name.startsWith(PREFIX));
  for (const dir of names.map((name) => join(PARENT, name))) {
    const owner = await readFile(join(dir, OWNER), 'utf8').catch(() => '');
    const pid = Number.parseInt(owner, 10);
    if (pid > 0 && owner === (await describeRun(pid))) {
      throw new Error(`another run of the e2e tests is under way (process ${pid}, ${dir}): wait for its end`);
    }
    await removeInstallation(dir);
  }
  await removeAccounts();
}

/** Removes everything of an installation, also of one that is half made. Throws when something cannot be removed. */
export async function removeInstallation(dir: string): Promise<void> {
  await stopSshd({ ssh: join(dir, 'ssh') });
  await endProcesses(dir);
  await removeNamespaces();
  await unmountVolume(join(dir, 'data'));
  await removeAccounts();
  await removeTrees(SUDOERS, dir);
}

/** Ends our users' processes, images' and instances' too; the scripts end by themselves when the server has. */
async function endProcesses(dir: string): Promise<void> {
  const accounts = await listAccountUids();
  // The raw Postgres that Draupnir 5.3 left on an upload is of a user that others have as well.
  const isRaw = ({ command }: Process): boolean => command.includes(` -D ${dir}/data/image_uploads/`);
  const isOwn = (process: Process): boolean =>
    accounts.includes(process.uid) || isOwnUid(process.uid) || isRaw(process);
  const isScript = ({ command }: Process): boolean => command.includes(`${dir}/scripts/`);
  // For Postgres this is an immediate shutdown, for the server a clean one.
  await endAll(isOwn, 'SIGQUIT').catch(() => endAll(isOwn, 'SIGKILL'));
  await endAll(isScript).catch(() => endAll(isScript, 'SIGKILL'));
  await removeSharedMemory((uid) => accounts.includes(uid) || isOwnUid(uid));
}

async function endAll(isMeant: (process: Process) => boolean, name?: NodeJS.Signals): Promise<void> {
  const told = new Set<number>();
  await waitUntil('processes of the tests end', async () => {
    const left = (await listProcesses()).filter(isMeant);
    for (const { pid } of left.filter((process) => !told.has(process.pid))) {
      if (name) signal(pid, name);
      told.add(pid);
    }
    return left.length === 0;
  });
}

/** A Postgres that was killed leaves its segment in the kernel (proc_sysvipc(5): key shmid perms size cpid lpid nattch uid). */
async function removeSharedMemory(isMeant: (uid: number) => boolean): Promise<void> {
  const segments = (await readFile('/proc/sysvipc/shm', 'utf8')).trim().split('\n').slice(1);
  for (const fields of segments.map((segment) => segment.trim().split(/\s+/))) {
    if (isMeant(Number(fields[7]))) await run(['ipcrm', '-m', fields[1] ?? '']);
  }
}

/** A process id and when it started: ids are used again. */
async function describeRun(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // proc_pid_stat(5): the name may hold spaces; the start time is the 20th field after it.
  return `${pid} ${stat.slice(stat.lastIndexOf(')')).split(' ')[20] ?? ''}`;
}
