import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { Api, type Instance } from '../support/api.ts';
import { FULL, measureConvergence, recordFaults } from '../support/faults.ts';
import { query } from '../support/instance-client.ts';
import { getInstallation } from '../support/installation.ts';
import { queryMetadata } from '../support/metadata.ts';
import { Server } from '../support/server.ts';
import { writeServerConfig } from '../support/server-config.ts';
import { ANONYMISE } from '../support/source.ts';
import { upload } from '../support/upload.ts';
import { waitUntil } from '../support/wait.ts';
import { losePower, MACHINE, mountAgain } from './support/machine.ts';
import { clear } from './support/operations.ts';

const SIZES = FULL ? [1, 10, 50] : [1, 8];
/** For fifty instances on a small machine, in milliseconds. */
const BOOT_LIMIT_MS = 120_000;

const api = () => new Api(getInstallation());
let server: Server | undefined;

async function start(confined: boolean): Promise<Server> {
  const config = await writeServerConfig(getInstallation(), 'config.toml');
  server = await Server.start(getInstallation(), config, confined ? MACHINE : undefined);
  return server;
}

/** All that the machine runs is gone from one moment to the next. */
async function crash(): Promise<void> {
  await server?.kill();
  server = undefined;
  await losePower();
}

async function makeInstances(count: number): Promise<Instance[]> {
  const made = await Promise.all(
    Array.from({ length: count }, () => api().createInstance(inject('e2e').imageId)),
  );
  await Promise.all(
    made.map((instance) => query(instance, `CREATE TABLE written AS SELECT ${instance.id} AS id`)),
  );
  return made;
}

async function expectBack(instances: readonly Instance[]): Promise<void> {
  for (const instance of instances) {
    const written = await waitUntil(
      `instance ${instance.id} is back`,
      () => query(instance, 'SELECT id FROM written').catch(() => undefined),
      BOOT_LIMIT_MS,
    );
    expect(written).toEqual([instance.id]);
    await expect(query(instance, 'SELECT 1', { tls: false })).rejects.toMatchObject({ code: '28000' });
  }
}

afterEach(async () => {
  await crash();
  await mountAgain();
  const last = await start(false);
  await clear();
  expect(await last.stop()).toBe(0);
});

describe('a host that loses its power', { timeout: 300_000 }, () => {
  it.for(SIZES)('has all of %i instances again, with what was written', async (count, { task }) => {
    await start(true);
    const instances = await makeInstances(count);
    await crash();
    await mountAgain();
    await start(true);
    const since = performance.now();
    await expectBack(instances);
    recordFaults(task, { group: 'E', tried: 1, convergenceMs: performance.now() - since });
  });

  it('in the middle of creations and a preparation keeps what it had promised, and nothing half done', async ({
    task,
  }) => {
    await start(true);
    const [promised] = await makeInstances(1);
    const { id } = await api().createImage(ANONYMISE);
    await upload(id, inject('e2e').backup);
    const lost = [
      api().finaliseImage(id),
      ...Array.from({ length: 4 }, () => api().createInstance(inject('e2e').imageId)),
    ];
    const outcomes = Promise.allSettled(lost);
    await waitUntil('all is under way', async () => {
      const names = await readdir(join(getInstallation().data, 'instances'));
      const status = await queryMetadata(`SELECT status FROM images WHERE id = ${id}`);
      return names.length > 1 && status === 'finalising';
    });
    await crash();
    await outcomes;
    await mountAgain();
    // On the host itself, where doctor sees the processes.
    await start(false);
    const since = performance.now();
    await expectBack(promised ? [promised] : []);
    await waitUntil('the image is ready', async () => (await api().getImage(id)).ready, BOOT_LIMIT_MS);
    await measureConvergence(performance.now());
    recordFaults(task, { group: 'E', tried: 1, convergenceMs: performance.now() - since });
  });

  it('and comes back without its volume says so, writes nothing to the disk below, and goes on when it is there', async ({
    task,
  }) => {
    await start(true);
    const instances = await makeInstances(1);
    await crash();
    await start(true);
    const ready = await api().send('GET', '/ready', { as: 'none' });
    expect(ready).toMatchObject({ status: 503 });
    expect(ready.text).toContain('mount');
    const body = { data: { type: 'instances', attributes: { image_id: String(inject('e2e').imageId) } } };
    const refused = await api().send('POST', '/instances', { body });
    expect(refused).toMatchObject({ status: 503, json: { id: 'storage_unavailable' } });
    expect(await readdir(getInstallation().data)).toEqual([]);
    expect(await api().listInstanceIds()).toEqual(instances.map(({ id }) => id));
    // The machine sees what is mounted on the host, as its processes would (mount_namespaces(7)).
    await server?.kill();
    await mountAgain();
    await start(true);
    const since = performance.now();
    await expectBack(instances);
    recordFaults(task, { group: 'E', tried: 1, convergenceMs: performance.now() - since });
  });
});
