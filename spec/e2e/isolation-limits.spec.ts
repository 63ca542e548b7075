import { access, appendFile, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { getInstallation, INSTANCE_UID_BASE, SERVER_USER } from './support/installation.ts';
import { listProcessesOf } from './support/processes.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const MOUNT = '/sys/fs/cgroup';
/** A place for groups that no installation has. */
const ELSEWHERE = `${SERVER_USER}-elsewhere`;

const server = useServer();

/** Where the limits of a process are: the same folder twice on a host with version 2 alone (cgroups(7), "/proc/pid/cgroup"). */
async function findGroups(pid: number): Promise<{ memory: string; pids: string }> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).split('\n');
  const find = (controller: string): string => {
    for (const line of lines) {
      const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      if (controllers.split(',').includes(controller)) return join(MOUNT, controller, path);
    }
    return join(MOUNT, lines.find((line) => line.startsWith('0::'))?.slice(3) ?? '');
  };
  return { memory: find('memory'), pids: find('pids') };
}

/** Makes an instance, tells what limits each of its processes has, and destroys it. */
async function readLimits(): Promise<{ folders: string[]; memory: string[]; pids: string[] }> {
  const { id } = await server.api.createInstance(inject('e2e').imageId);
  const uid = INSTANCE_UID_BASE + id;
  // One that is about to end is shown in the group of all (cgroups(7)).
  const groups = await waitUntil('all its processes are in a group', async () => {
    const processes = await listProcessesOf(uid);
    const found = await Promise.all(processes.map(({ pid }) => findGroups(pid).catch(() => undefined)));
    const known = found.filter((each) => each !== undefined);
    const isOwn = (folder: string): boolean => folder.endsWith(`/${uid}`);
    return known.every(({ memory, pids }) => isOwn(memory) && isOwn(pids)) && known;
  });
  const folders = unique(groups.flatMap(({ memory, pids }) => [memory, pids]));
  const limits = {
    folders: unique(folders.map((folder) => folder.replace(/^\/sys\/fs\/cgroup\/(memory\/|pids\/)?/, ''))),
    memory: unique(await Promise.all(groups.map(({ memory }) => readMemoryLimit(memory)))),
    pids: unique(await Promise.all(groups.map(({ pids }) => readText(join(pids, 'pids.max'))))),
  };
  await server.api.destroyInstance(id);
  for (const folder of folders) await expect(access(folder)).rejects.toThrow('ENOENT');
  expect(limits.folders.map((folder) => folder.endsWith(`/${uid}`))).toEqual([true]);
  return { ...limits, folders: limits.folders.map((folder) => folder.slice(0, -`/${uid}`.length)) };
}

function readMemoryLimit(folder: string): Promise<string> {
  return readText(join(folder, 'memory.max')).catch(() => readText(join(folder, 'memory.limit_in_bytes')));
}

async function readText(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim();
}

function unique(values: string[]): string[] {
  return [...new Set(values)];
}

describe('the limits of an instance', () => {
  const found = (): string => join(getInstallation().run, 'sandbox');
  const hostConf = (): string => join(getInstallation().scripts, 'host.conf');
  const limits = { memory: [String(1024 ** 3)], pids: ['256'] };

  // Another file may have removed what the scripts have found out.
  beforeAll(async () => {
    await server.api.destroyInstance((await server.api.createInstance(inject('e2e').imageId)).id);
  });

  it('are those of its control group, outside of the one of the server, which goes with it', async ({
    skip,
  }) => {
    if ((await readText(found())).split(' ')[1] === 'none') skip('this host has no control groups');
    expect(await readLimits()).toEqual({ folders: ['draupnir'], ...limits });
  });

  it('are there also when what the host can do was found out before a reboot', async () => {
    const before = await readText(found());
    await writeFile(found(), 'none none 00000000-0000-0000-0000-000000000000\n');
    await server.api.destroyInstance((await server.api.createInstance(inject('e2e').imageId)).id);
    expect(await readText(found())).toBe(before);
  });

  describe('that are in another place from now on', () => {
    let original: string | undefined;
    afterEach(async () => {
      if (original !== undefined) await writeFile(hostConf(), original);
      for (const part of ['', 'memory', 'pids']) {
        await rmdir(join(MOUNT, part, ELSEWHERE)).catch(() => undefined);
      }
    });

    it('are there', async ({ skip }) => {
      if ((await readText(found())).split(' ')[1] === 'none') skip('this host has no control groups');
      original = await readFile(hostConf(), 'utf8');
      await appendFile(hostConf(), `CGROUP=${ELSEWHERE}\n`);
      expect(await readLimits()).toEqual({ folders: [ELSEWHERE], ...limits });
    });
  });
});
