import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { run, runCommand } from './support/command.ts';
import { diagnose } from './support/doctor.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, IMAGE_UID_BASE, INSTANCE_UID_BASE } from './support/installation.ts';
import { listProcessesOf, signal } from './support/processes.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const server = useServer();
const uidOf = ({ id }: Instance): number => INSTANCE_UID_BASE + id;
const dataOf = ({ id }: Instance): string => join(getInstallation().data, 'instances', String(id));
/** What the scripts have found out about this host: namespaces, control groups, whether owners can be mapped, and since when. */
const found = (): string => join(getInstallation().run, 'sandbox');

/** Whether this host can: since Linux 5.15, unless there are no user namespaces, as in a chroot. What the scripts say is not asked. */
async function canMap(): Promise<boolean> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const { exitCode } = await runCommand(['unshare', '--user', 'true']);
  return (major > 5 || (major === 5 && minor >= 15)) && exitCode === 0;
}

/** From now on this host can map no owners, as in a chroot or before Linux 5.15. */
async function forgetMapping(): Promise<void> {
  await writeFile(found(), (await readFile(found(), 'utf8')).replace(/ mapped /, ' same '));
}

/** All owners of files in the data directory, as the host sees them. */
async function listOwners(instance: Instance): Promise<string[]> {
  // Postgres removes files of its own meanwhile.
  const argv = ['find', dataOf(instance), '-ignore_readdir_race', '-printf', '%U:%G\n'];
  return [...new Set((await run(argv)).trim().split('\n'))];
}

/** Kills all its processes, and waits until the server has started it again. */
async function restart(instance: Instance): Promise<void> {
  for (const { pid } of await listProcessesOf(uidOf(instance))) signal(pid, 'SIGKILL');
  await waitUntil('the instance answers', () => query(instance, 'SELECT 1').catch(() => undefined));
}

describe('the files of an instance', () => {
  // It is found out anew.
  afterEach(() => rm(found(), { force: true }));

  it('are its own as it sees them, and those it makes too', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    await query(instance, 'CREATE TABLE made AS SELECT 1 AS it');
    const [{ pid } = { pid: 0 }] = await listProcessesOf(uidOf(instance));
    const seen = `/proc/${pid}/root${dataOf(instance)}`;
    const own = { uid: uidOf(instance), gid: uidOf(instance) };
    expect(await stat(seen)).toMatchObject(own);
    const [path] = (await query(instance, `SELECT pg_relation_filepath('made')`)) as string[];
    expect(await stat(join(seen, path ?? ''))).toMatchObject(own);
    await server.api.destroyInstance(instance.id);
  });

  it('are not written anew to change their owner, where owners can be mapped', async () => {
    const { imageId } = inject('e2e');
    const instance = await server.api.createInstance(imageId);
    const owner = (await canMap()) ? IMAGE_UID_BASE + imageId : uidOf(instance);
    expect(await listOwners(instance)).toEqual([`${owner}:${owner}`]);
    await server.api.destroyInstance(instance.id);
  });

  it('become its own where owners cannot be mapped, from the beginning or any more', async () => {
    const before = await server.api.createInstance(inject('e2e').imageId);
    await query(before, `CREATE TABLE kept AS SELECT 'still here' AS note`);
    await forgetMapping();
    const after = await server.api.createInstance(inject('e2e').imageId);
    await restart(before);
    for (const instance of [before, after]) {
      expect(await listOwners(instance)).toEqual([`${uidOf(instance)}:${uidOf(instance)}`]);
    }
    // A host that can do it again finds them as they are.
    await rm(found());
    for (const instance of [before, after]) await restart(instance);
    expect(await query(before, 'SELECT note FROM kept')).toEqual(['still here']);
    expect((await diagnose()).findings).toEqual([]);
    for (const { id } of [before, after]) await server.api.destroyInstance(id);
  });
});

const LOSSES: [string, (note: string, instance: Instance) => Promise<unknown>][] = [
  [
    'that was cut short',
    async (note, instance) => {
      await writeFile(note, `${uidOf(instance)}\n`);
      await run(['chown', '-R', `${uidOf(instance)}:${uidOf(instance)}`, join(dataOf(instance), 'base')]);
    },
  ],
  ['the note of their owner is lost', (note) => rm(note, { force: true })],
  ['the note of their owner is empty', (note) => writeFile(note, '')],
  [
    'somebody has handed them over by hand',
    (_note, instance) => run(['chown', '-R', `${uidOf(instance)}:${uidOf(instance)}`, dataOf(instance)]),
  ],
];

// The server starts them again side by side.
describe.concurrent('the files of an instance that was handed over', () => {
  it.each(LOSSES)('become its own also when %s', async (_what, lose) => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    const note = join(getInstallation().data, 'instance_config', String(instance.id), 'owner');
    await lose(note, instance);
    await restart(instance);
    expect(await listOwners(instance)).toEqual([`${uidOf(instance)}:${uidOf(instance)}`]);
    await expect(readFile(note)).rejects.toThrow('ENOENT');
    await server.api.destroyInstance(instance.id);
  });
});
