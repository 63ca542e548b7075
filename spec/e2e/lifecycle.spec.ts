import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Answer, Instance } from './support/api.ts';
import { type HostState, readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, IMAGE_UID_BASE, INSTANCE_UID_BASE } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { listProcessesOf, signal } from './support/processes.ts';
import { ANONYMISE } from './support/source.ts';
import { removeUploaded, upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const server = useServer();

/** Name of a file of the upload that makes the script wait, for longer than any test. */
const WAIT = 'wait';
const WAITING = `SELECT pg_sleep(600) WHERE (pg_stat_file('${WAIT}', true)).size IS NOT NULL;\n${ANONYMISE}`;
let waitFile = '';

beforeAll(async () => {
  const folder = join(getInstallation().scratch, 'lifecycle');
  await mkdir(folder);
  waitFile = join(folder, WAIT);
  await writeFile(waitFile, '');
});

afterEach(async () => {
  if (!server.process.isRunning) await server.start();
});

/** An image whose preparation is under way and will not end by itself; `outcome` is what the one who asked is told. */
async function startFinalising(): Promise<{
  id: number;
  before: HostState;
  outcome: Promise<Answer | Error>;
}> {
  const { id } = await server.api.createImage(WAITING);
  await upload(id, [...inject('e2e').backup, waitFile]);
  const before = await readHostState();
  const outcome = server.api.finaliseImage(id).catch((error: unknown) => error as Error);
  await waitUntil('the anonymisation script waits', async () => {
    const processes = await listProcessesOf(IMAGE_UID_BASE + id);
    return processes.some(({ command }) => /^postgres: .*draupnir-admin.* SELECT$/.test(command));
  });
  return { id, before, outcome };
}

/** After an interruption: the upload as it was and nothing else; a second try makes the image ready. */
async function expectFinalisable(id: number, before: HostState): Promise<void> {
  await expectHostState(before);
  expect(await server.api.getImage(id)).toMatchObject({ ready: false });
  await removeUploaded(id, WAIT);
  expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
  const instance = await server.api.createInstance(id);
  expect(await query(instance, 'SELECT email FROM customers WHERE id = 1')).toEqual([
    'customer-1@anonymous.invalid',
  ]);
  await server.api.destroyImage(id);
}

/** Scripts notice the end of their server by themselves; until then they are at work. */
async function expectHostState(expected: HostState): Promise<void> {
  await waitUntil('the scripts end', async () => (await readHostState()).scripts.length === 0);
  expect(await readHostState()).toEqual(expected);
}

async function createInstance(): Promise<Instance> {
  return server.api.createInstance(inject('e2e').imageId);
}

describe('an image that is destroyed', () => {
  it('takes its instances with it, whoever owns them', async () => {
    const before = await readHostState();
    const { id } = await server.api.createImage(ANONYMISE);
    await upload(id, inject('e2e').backup);
    expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
    const instances = [
      await server.api.createInstance(id),
      await server.api.createInstance(id),
      await server.api.createInstance(id, 'upload'),
    ];
    await server.api.destroyImage(id);
    expect(await readHostState()).toEqual(before);
    const left = [...(await server.api.listInstanceIds()), ...(await server.api.listInstanceIds('upload'))];
    for (const instance of instances) expect(left).not.toContain(instance.id);
    expect(await server.api.listImageIds()).not.toContain(id);
  });

  it('waits for the end of its preparation', async () => {
    const { id, before, outcome } = await startFinalising();
    const answer = await server.api.send('DELETE', `/images/${id}`, { as: 'upload' });
    expect(answer).toMatchObject({ status: 409, json: { id: 'image_busy', status: '409' } });
    expect(await server.process.stop()).toBe(0);
    await outcome;
    await server.start();
    await expectHostState(before);
    await server.api.destroyImage(id);
  });
});

describe('a server that is asked to stop', () => {
  it('ends a preparation under way, tells so, and exits 0; the image can be prepared again', async () => {
    const { id, before, outcome } = await startFinalising();
    expect(await server.process.stop()).toBe(0);
    expect(await outcome).toMatchObject({
      status: 503,
      json: {
        id: 'finalise_interrupted',
        status: '503',
        detail: 'the server stopped during the preparation; ask for it again',
      },
    });
    // Drained: nothing is left to end after the server.
    expect(await readHostState()).toEqual(before);
    await server.start();
    await expectFinalisable(id, before);
  });

  it('finishes creations under way', async () => {
    const log = await server.process.readLog();
    const creating = createInstance();
    await waitUntil('the creation has begun', async () => {
      const rows = await queryMetadata(`SELECT count(*) FROM instances WHERE status = 'creating'`);
      return rows !== '0' || (await server.process.readLog()).length > log.length;
    });
    expect(await server.process.stop()).toBe(0);
    const instance = await creating;
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
    await server.start();
    expect(await server.api.listInstanceIds()).toContain(instance.id);
  });

  it('leaves instances running', async () => {
    const instance = await createInstance();
    await query(instance, 'CREATE TABLE kept ()');
    expect(await server.process.stop()).toBe(0);
    expect(await query(instance, 'SELECT count(*)::int FROM kept')).toEqual([0]);
    await server.start();
    expect(await server.api.getInstance(instance.id)).toEqual(instance);
  });
});

describe('a server that is killed', () => {
  it('leaves its instances running, and knows them when it is back', async () => {
    const instance = await createInstance();
    const pids = (await listProcessesOf(INSTANCE_UID_BASE + instance.id)).map(({ pid }) => pid);
    await server.process.kill();
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
    await server.start();
    expect(await server.api.listInstanceIds()).toContain(instance.id);
    expect(await server.api.getInstance(instance.id)).toEqual(instance);
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
    const now = (await listProcessesOf(INSTANCE_UID_BASE + instance.id)).map(({ pid }) => pid);
    expect(now).toEqual(expect.arrayContaining(pids.slice(0, 1)));
  });

  it('while it prepares an image leaves the upload as it was; the image can be prepared again', async () => {
    const { id, before, outcome } = await startFinalising();
    await server.process.kill();
    expect(await outcome).toBeInstanceOf(Error);
    await server.start();
    await expectFinalisable(id, before);
  });

  const moments: [string, (id: number) => Promise<unknown>][] = [
    ['its record stands', () => Promise.resolve()],
    ['its data stand', (id) => access(join(getInstallation().data, 'instances', String(id)))],
    [
      'its configuration stands',
      (id) => access(join(getInstallation().data, 'instance_config', String(id), 'ca.crt')),
    ],
    [
      'its process runs',
      async (id) => {
        if ((await listProcessesOf(INSTANCE_UID_BASE + id)).length === 0) throw new Error('no process yet');
      },
    ],
  ];

  it.each(moments)('while it makes an instance, when %s, leaves nothing half made', async (_what, look) => {
    const listed = await server.api.listInstanceIds();
    const before = await readHostState();
    const next = Number(await queryMetadata(`SELECT last_value + 1 FROM instances_id_seq`));
    const outcome = createInstance().catch((error: unknown) => error);
    await waitUntil('the moment has come', async () => {
      const rows = await queryMetadata(`SELECT count(*) FROM instances WHERE id = ${next}`);
      if (rows === '0') return false;
      return waitUntil('its part stands', () =>
        look(next).then(
          () => true,
          () => false,
        ),
      );
    });
    await server.process.kill();
    expect(await outcome).toBeInstanceOf(Error);
    await server.start();
    await expectHostState(before);
    expect(await server.api.listInstanceIds()).toEqual(listed);
    expect(await queryMetadata(`SELECT count(*) FROM instances WHERE id >= ${next}`)).toBe('0');
  });
});

describe('a server that starts', () => {
  it('starts instances again whose Postgres has died meanwhile', async () => {
    const instance = await createInstance();
    await query(instance, `CREATE TABLE kept AS SELECT 'still here' AS note`);
    expect(await server.process.stop()).toBe(0);
    const processes = await listProcessesOf(INSTANCE_UID_BASE + instance.id);
    for (const { pid } of processes) signal(pid, 'SIGKILL');
    await waitUntil(
      'its processes end',
      async () => (await listProcessesOf(INSTANCE_UID_BASE + instance.id)).length === 0,
    );
    await server.start();
    const [note] = await waitUntil('it answers', () =>
      query(instance, 'SELECT note FROM kept').catch(() => undefined),
    );
    expect(note).toBe('still here');
    await expect(query(instance, 'SELECT 1', { tls: false })).rejects.toMatchObject({ code: '28000' });
  });

  it('finishes the destruction of an image that was interrupted', async () => {
    const before = await readHostState();
    const { id } = await server.api.createImage('');
    await server.process.kill();
    await queryMetadata(`UPDATE images SET status = 'destroying' WHERE id = ${id}`);
    await server.start();
    expect(await server.api.listImageIds()).not.toContain(id);
    expect(await readHostState()).toEqual(before);
  });

  it('finishes the destruction of an instance that was interrupted', async () => {
    const before = await readHostState();
    const { id } = await createInstance();
    await server.process.kill();
    await queryMetadata(`UPDATE instances SET status = 'destroying' WHERE id = ${id}`);
    await server.start();
    expect(await readHostState()).toEqual(before);
    expect(await readdir(join(getInstallation().data, 'instances'))).not.toContain(String(id));
  });
});
