import { beforeEach, describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import { NOBODY, type Instance } from '../../../src/core/instance.ts';
import { CALLERS } from '../fakes/fake-authenticator.ts';
import { createWorld, PORT_RANGE, type World } from '../fakes/world.ts';

const { ada, upload } = CALLERS;
const ADDRESS = '192.0.2.7';

let world: World;
let imageId = 0;
beforeEach(() => {
  world = createWorld({ warmInstances: 2 });
  imageId = world.imageStore.add('ready');
});

const fill = (signal = new AbortController().signal): Promise<void> => world.filler.run(signal);

function listWarm(): Instance[] {
  return [...world.store.rows.values()].filter(({ userEmail }) => userEmail === NOBODY);
}

/** Another image that became ready later, by that many milliseconds. */
function addImage(laterMs: number): number {
  const id = world.imageStore.add('ready');
  const row = world.imageStore.rows.get(id);
  if (!row) throw new Error('no row');
  world.imageStore.rows.set(id, { ...row, updatedAt: new Date(row.updatedAt.getTime() + laterMs) });
  return id;
}

describe('the instances made in advance', () => {
  it('are as many as were asked for, and are replaced when they are taken', async () => {
    await fill();
    expect(listWarm().map((instance) => instance.imageId)).toEqual([imageId, imageId]);
    await fill();
    expect(listWarm()).toHaveLength(2);
    await world.instances.create(ada, imageId, ADDRESS);
    expect(listWarm()).toHaveLength(1);
    await fill();
    expect(listWarm()).toHaveLength(2);
    expect(world.log.at('error')).toEqual([]);
  });

  it('are of the image that became ready last, with equal times of the highest id', async () => {
    await fill();
    const newer = addImage(1000);
    addImage(-1000);
    await fill();
    expect(listWarm().map((instance) => instance.imageId)).toEqual([newer, newer]);
    const twin = addImage(1000);
    await fill();
    expect(listWarm().map((instance) => instance.imageId)).toEqual([twin, twin]);
    expect(world.disk.existing.size).toBe(2);
  });

  it('are none while no image is ready', async () => {
    await fill();
    await world.images.destroy(upload, imageId);
    world.imageStore.add('pending');
    await fill();
    expect(listWarm()).toEqual([]);
  });

  it('are no more than asked for: the last ones go, and what has an owner stays', async () => {
    for (let made = 0; made < 3; made++) await world.instances.createWarm(imageId);
    const own = world.store.add({ imageId, userEmail: ada.email, status: 'ready' });
    await fill();
    expect([...world.store.rows.keys()]).toEqual([1, 2, own]);
  });

  it('are removed when none are asked for any more, and then nobody looks again', async () => {
    await fill();
    const rest = createWorld();
    for (const [id, row] of world.store.rows) rest.store.rows.set(id, row);
    for (const [id, box] of world.store.credentials) rest.store.credentials.set(id, box);
    const { signal } = new AbortController();
    await rest.filler.run(signal);
    expect(rest.store.rows.size).toBe(0);
    await rest.filler.run(signal);
    rest.steps.taken.length = 0;
    await rest.filler.run(signal);
    expect(rest.steps.taken).toEqual([]);
  });

  it('are never what Draupnir 5.3 made without an owner', async () => {
    const adopted = world.store.add({ imageId: addImage(-1000), userEmail: NOBODY, status: 'ready' });
    await fill();
    expect(world.store.rows.get(adopted)?.status).toBe('ready');
  });

  it('count while they are started again, and are replaced once that has failed for good', async () => {
    await fill();
    await world.store.transition(1, ['ready'], 'stopped', 'died');
    await fill();
    expect([...world.store.rows.keys()]).toEqual([1, 2]);
    await world.store.transition(1, ['stopped'], 'failed', 'died');
    await fill();
    expect([...world.store.rows.keys()]).toEqual([2, 3]);
  });

  it('wait while a user waits', async () => {
    const hold = world.steps.hold('proof.prove');
    const creating = world.instances.create(ada, imageId, ADDRESS);
    await hold.reached;
    await fill();
    expect(listWarm()).toEqual([]);
    hold.release();
    await creating;
    await fill();
    expect(listWarm()).toHaveLength(2);
  });

  it('stop being made when the server stops, and when somebody comes', async () => {
    const stop = new AbortController();
    const first = world.steps.hold('proof.prove');
    const filling = fill(stop.signal);
    await first.reached;
    stop.abort();
    first.release();
    await filling;
    expect(listWarm()).toHaveLength(1);

    const second = world.steps.hold('proof.prove');
    world.store.rows.clear();
    const next = fill();
    await second.reached;
    const third = world.steps.hold('proof.prove');
    const creating = world.instances.create(ada, imageId, ADDRESS);
    await third.reached;
    second.release();
    await next;
    expect(listWarm()).toHaveLength(1);
    third.release();
    await creating;
  });

  it.each([
    ['volume.requireSpace', 'insufficient_disk'],
    ['volume.requireSpace', 'storage_unavailable'],
    ['allowList.require', 'firewall_unavailable'],
  ] as const)('are not made when %s says %s, which is told once and is no error', async (step, kind) => {
    for (let round = 0; round < 3; round++) {
      world.steps.failOnce(step, new DomainError(kind, 'not now'));
      await fill();
    }
    expect(world.log.lines).toMatchObject([{ level: 'info', fields: { reason: kind } }]);
    expect(world.store.rows.size).toBe(0);
    await fill();
    expect(listWarm()).toHaveLength(2);
  });

  it('leave the ports that are left to nobody else, without an error', async () => {
    const ports = PORT_RANGE.max - PORT_RANGE.min;
    for (let made = 0; made < ports; made++) await world.instances.create(ada, imageId, ADDRESS);
    world.log.lines.length = 0;
    await fill();
    await fill();
    expect(world.log.lines).toMatchObject([{ level: 'info', fields: { reason: 'no_free_port' } }]);
  });

  it('are tried ever more seldom when they cannot be made', async () => {
    const tries = (): number => world.steps.taken.filter((step) => step === 'proof.prove').length;
    world.steps.failOnce('proof.prove');
    await fill();
    expect(world.log.at('error')).toHaveLength(1);
    await fill();
    expect(tries()).toBe(1);
    world.pass(1000);
    world.steps.failOnce('proof.prove');
    await fill();
    expect(tries()).toBe(2);
    world.pass(1999);
    await fill();
    expect(tries()).toBe(2);
    world.pass(1);
    await fill();
    expect(listWarm()).toHaveLength(2);
    expect(world.log.at('error').map(({ fields }) => fields)).toMatchObject([
      { delayMs: 1000 },
      { delayMs: 2000 },
    ]);

    await world.instances.create(ada, imageId, ADDRESS);
    world.steps.failOnce('proof.prove');
    await fill();
    expect(world.log.at('error').at(-1)?.fields).toMatchObject({ delayMs: 1000 });
  });
});
