import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { diagnose, summarise } from './support/doctor.ts';
import { readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { INSTANCE_PORTS, INSTANCE_UID_BASE } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { listProcessesOf, signal } from './support/processes.ts';
import type { ConfigChoices } from './support/server-config.ts';
import { ANONYMISE } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const WARM = 2;
/** As many as wait, and as many for users. */
const ports = { min: INSTANCE_PORTS.min, max: INSTANCE_PORTS.min + 2 * WARM };
let choices: ConfigChoices = { warmInstances: WARM, ports };
const server = useServer(() => choices);

async function restart(changed: ConfigChoices): Promise<void> {
  choices = changed;
  expect(await server.process.stop()).toBe(0);
  await server.start();
}

/** Instances that wait for an owner, the oldest first. */
async function listWarm(): Promise<{ id: number; imageId: number }[]> {
  const rows = await queryMetadata(`SELECT id || ' ' || image_id FROM instances
    WHERE user_email = '' AND status = 'ready' ORDER BY created_at, id`);
  return rows
    .split('\n')
    .filter(Boolean)
    .map((row) => row.split(' ').map(Number))
    .map(([id = 0, imageId = 0]) => ({ id, imageId }));
}

/** Waits until that many wait, all of one image, and there are no others; resolves to their ids. */
function waitForWarm(count: number, imageId = inject('e2e').imageId): Promise<number[]> {
  return waitUntil(`${count} instances wait`, async () => {
    const warm = await listWarm();
    const rest = await queryMetadata(`SELECT count(*) FROM instances WHERE user_email = ''`);
    const complete = warm.length === count && rest === String(count);
    return complete && warm.every((each) => each.imageId === imageId) && warm.map(({ id }) => id);
  });
}

/** Asks for instances until one of these is given. */
function takeOneOf(ids: readonly number[]): Promise<Instance> {
  return waitUntil('one that waited is given', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    if (ids.includes(instance.id)) return instance;
    await server.api.destroyInstance(instance.id);
    return undefined;
  });
}

async function waitForHealth(): Promise<void> {
  await waitUntil('doctor finds nothing', async () => summarise(await diagnose()).length === 0);
}

async function expectUnknown(id: number): Promise<void> {
  expect(await server.api.send('GET', `/instances/${id}`)).toMatchObject({ status: 404 });
  expect(await server.api.send('DELETE', `/instances/${id}`)).toMatchObject({ status: 404 });
  const rotation = await server.api.send('POST', `/instances/${id}/credentials`);
  expect(rotation).toMatchObject({ status: 404 });
}

async function createImage(): Promise<number> {
  const { id } = await server.api.createImage(ANONYMISE);
  await upload(id, inject('e2e').backup);
  expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
  return id;
}

describe('instances made in advance', () => {
  let imageId = 0;
  beforeAll(() => {
    ({ imageId } = inject('e2e'));
  });

  it('run, are nobody’s to see, and are in order for doctor', async () => {
    const ids = await waitForWarm(WARM);
    expect(await server.api.listInstanceIds()).toEqual([]);
    expect(await server.api.listInstanceIds('upload')).toEqual([]);
    for (const id of ids) {
      await expectUnknown(id);
      expect(await server.api.send('GET', `/instances/${id}`, { as: 'upload' })).toMatchObject({
        status: 404,
      });
      expect(await listProcessesOf(INSTANCE_UID_BASE + id)).not.toEqual([]);
    }
    await waitForHealth();
    expect(await listWarm()).toHaveLength(WARM);
  });

  it('are given to who asks, each to one owner alone, and replaced', async () => {
    const ids = await waitForWarm(WARM);
    const asked = Date.now();
    const [own, other] = await Promise.all([
      server.api.createInstance(imageId),
      server.api.createInstance(imageId, 'upload'),
    ]);
    expect([own.id, other.id].sort((a, b) => a - b)).toEqual(ids);
    const lines = await server.process.waitForLines(({ msg }) => msg === 'created instance', 2);
    expect(lines).toMatchObject([{ warm: true }, { warm: true }]);
    // Its age is counted from now; the answer has whole seconds.
    expect(Date.parse(own.createdAt)).toBeGreaterThan(asked - 1000);

    for (const instance of [own, other]) expect(await query(instance, 'SELECT 6 * 7')).toEqual([42]);
    await expect(query(own, 'SELECT 1', { tls: false })).rejects.toMatchObject({ code: '28000' });
    await expect(query({ ...own, credentials: other.credentials }, 'SELECT 1')).rejects.toThrow();
    const foreign = { cert: other.credentials.cert, key: other.credentials.key };
    await expect(query(own, 'SELECT 1', { tls: foreign })).rejects.toThrow();

    expect(await server.api.getInstance(own.id)).toEqual(own);
    expect(await server.api.listInstanceIds()).toEqual([own.id]);
    expect(await server.api.listInstanceIds('upload')).toEqual([other.id]);
    await expectUnknown(other.id);
    const next = await waitForWarm(WARM);
    for (const id of ids) expect(next).not.toContain(id);
    await waitForHealth();
    for (const { id } of [own, other]) await server.api.destroyInstance(id);
  });

  it('outlive a server that is killed, and are given by the next one', async () => {
    const ids = await waitForWarm(WARM);
    await server.process.kill();
    await server.start();
    expect(await waitForWarm(WARM)).toEqual(ids);
    await waitForHealth();
    const instance = await takeOneOf(ids);
    expect(await query(instance, 'SELECT 6 * 7')).toEqual([42]);
    await server.api.destroyInstance(instance.id);
  });

  it('are started again when their Postgres dies, and can be given then', async () => {
    const ids = await waitForWarm(WARM);
    for (const id of ids) {
      for (const { pid } of await listProcessesOf(INSTANCE_UID_BASE + id)) signal(pid, 'SIGKILL');
    }
    const instance = await takeOneOf(ids);
    expect(await query(instance, 'SELECT 6 * 7')).toEqual([42]);
    await server.api.destroyInstance(instance.id);
    await waitForHealth();
    await waitForWarm(WARM);
  });

  it('are of the newest image, go with it, and leave their ports to users', async () => {
    await waitForWarm(WARM);
    const newer = await createImage();
    await waitForWarm(WARM, newer);

    await restart({ warmInstances: 20, ports });
    await waitForWarm(4, newer);
    const instances = await Promise.all([1, 2, 3, 4].map(() => server.api.createInstance(imageId)));
    for (const instance of instances) expect(await query(instance, 'SELECT 6 * 7')).toEqual([42]);
    const body = { data: { type: 'instances', attributes: { image_id: imageId } } };
    const refused = await server.api.send('POST', '/instances', { body });
    expect(refused).toMatchObject({ status: 503, json: { id: 'no_free_port' } });
    for (const { id } of instances) await server.api.destroyInstance(id);

    const ids = await waitForWarm(4, newer);
    await server.api.destroyImage(newer);
    const left = (await listWarm()).map(({ id }) => id);
    for (const id of ids) {
      expect(left).not.toContain(id);
      expect(await listProcessesOf(INSTANCE_UID_BASE + id)).toEqual([]);
    }
    await waitForWarm(4);
    await waitForHealth();
  });

  it('go when none are asked for any more, and nothing is left of them', async () => {
    await restart({});
    await waitForWarm(0);
    const left = await readHostState();
    expect(left.uids).toEqual([]);
    expect(left.ports).toEqual([]);
    expect(left.subvolumes.filter((path) => path.startsWith('instances/'))).toEqual([]);
    await waitForHealth();
  });
});
