import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { NOBODY } from '../../../src/core/instance.ts';
import { CALLERS } from '../fakes/fake-authenticator.ts';
import { createFakeChain, createWorld, PORT_RANGE, type World } from '../fakes/world.ts';

const { upload, ada, bob } = CALLERS;
const ADDRESS = '192.0.2.7';
const NAMELESS: Caller = { role: 'developer', email: NOBODY };

/** What taking an instance made in advance does, in order: no script, no proof, no certificates. */
const TAKING = [
  'volume.requireSpace',
  'images.find',
  'allowList.require',
  'instances.listWarm',
  'instances.claimWarm',
  'instances.findCredentials',
  'allowList.admit',
  'instances.open',
];

let world: World;
let imageId = 0;
beforeEach(() => {
  world = createWorld({ warmInstances: 2 });
  imageId = world.imageStore.add('ready');
});

async function addWarm(of = imageId): Promise<number> {
  const known = new Set(world.store.rows.keys());
  await world.instances.createWarm(of);
  world.steps.taken.length = 0;
  const id = [...world.store.rows.keys()].find((each) => !known.has(each));
  if (id === undefined) throw new Error('none was made');
  return id;
}

/** Instances made in advance that have all ports but `free`. */
async function occupyPorts(free = 0, of = imageId): Promise<void> {
  for (let port = PORT_RANGE.min; port < PORT_RANGE.max - free; port++) await addWarm(of);
}

describe('an instance made in advance', () => {
  it('is made and proven like any other, and nobody is let in', async () => {
    await world.instances.createWarm(imageId);
    expect(world.store.rows.get(1)).toMatchObject({ imageId, userEmail: NOBODY, status: 'ready' });
    expect(world.steps.taken).toContain('proof.prove');
    expect(world.steps.taken).toContain('allowList.require');
    expect(world.disk.existing.get(1)).toBe('open');
    expect(world.allowList.admitted).toEqual([]);
  });

  it('is nothing to any developer, not even to one without a name', async () => {
    const id = await addWarm();
    for (const caller of [ada, NAMELESS]) {
      expect(await world.instances.list(caller)).toEqual([]);
      const unknown = { kind: 'not_found' };
      await expect(world.instances.get(caller, id, ADDRESS)).rejects.toMatchObject(unknown);
      await expect(world.instances.destroy(caller, id)).rejects.toMatchObject(unknown);
      await expect(world.credentials.rotate(caller, id, ADDRESS)).rejects.toMatchObject(unknown);
    }
    expect(await world.instances.list(upload)).toEqual([]);
    expect(await world.instances.destroyAllOwnedBy(NOBODY)).toEqual([]);
    expect(world.store.rows.get(id)?.status).toBe('ready');
  });

  it('is never made for a caller without a name', async () => {
    await expect(world.instances.create(NAMELESS, imageId, ADDRESS)).rejects.toMatchObject({
      kind: 'unauthorized',
    });
    expect(world.store.rows.size).toBe(0);
  });

  it('leaves nothing behind when it cannot be made', async () => {
    world.steps.failOnce('proof.prove');
    await expect(world.instances.createWarm(imageId)).rejects.toThrow('proof.prove failed');
    expect(world.store.rows.size).toBe(0);
    expect(world.disk.existing.size).toBe(0);
  });

  it('goes with its image', async () => {
    await addWarm();
    await world.images.destroy(upload, imageId);
    expect(world.store.rows.size).toBe(0);
    expect(world.disk.existing.size).toBe(0);
  });

  it('is left alone by the reconciliation, also while it is made', async () => {
    const id = await addWarm();
    const hold = world.steps.hold('proof.prove');
    const making = world.instances.createWarm(imageId);
    await hold.reached;
    await world.instances.reconcile();
    hold.release();
    await making;
    expect([...world.store.rows.values()].map(({ status }) => status)).toEqual(['ready', 'ready']);
    expect(world.store.rows.has(id)).toBe(true);
  });

  it('is waited for at the closing, after which none is made', async () => {
    const hold = world.steps.hold('proof.prove');
    const making = world.instances.createWarm(imageId);
    await hold.reached;
    const closing = world.instances.close().then(() => world.store.rows.get(1)?.status);
    hold.release();
    expect(await closing).toBe('ready');
    await making;
    await expect(world.instances.createWarm(imageId)).rejects.toMatchObject({ kind: 'shutting_down' });
  });
});

describe('the creation of an instance that was made in advance', () => {
  it('gives it to who asks, with its credentials, and lets the address in', async () => {
    const id = await addWarm();
    const { instance, credentials } = await world.instances.create(
      { ...ada, sessionId: 7 },
      imageId,
      ADDRESS,
    );
    expect(world.steps.taken).toEqual(TAKING);
    expect(instance).toMatchObject({ id, imageId, userEmail: ada.email, status: 'ready' });
    const { ca, client } = createFakeChain(id);
    expect(credentials).toMatchObject({ ca, client });
    expect(world.allowList.admitted).toEqual([{ instanceId: id, address: ADDRESS }]);
    expect(await world.instances.get(ada, id, ADDRESS)).toMatchObject({ credentials: { ca, client } });
    expect(await world.instances.list(bob)).toEqual([]);
    expect(world.log.lines.at(-1)).toMatchObject({
      message: 'created instance',
      fields: { instanceId: id, warm: true },
    });
  });

  it('gives two who ask at once one each, and the third an ordinary one', async () => {
    const warm = [await addWarm(), await addWarm()];
    const created = await Promise.all(
      [ada, bob, ada].map((who) => world.instances.create(who, imageId, ADDRESS)),
    );
    const ids = created.map(({ instance }) => instance.id);
    expect(new Set(ids).size).toBe(3);
    expect(ids).toEqual(expect.arrayContaining(warm));
    expect(world.steps.taken.filter((step) => step === 'disk.createInstance')).toHaveLength(1);
  });

  it.each(TAKING.slice(3))(
    'leaves nothing half done when %s fails, and the next one succeeds',
    async (step) => {
      await addWarm();
      world.steps.failOnce(step);
      await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow(`${step} failed`);
      expect(await world.instances.list(ada)).toEqual([]);
      const claimed = TAKING.indexOf(step) > TAKING.indexOf('instances.claimWarm');
      expect(world.store.rows.size).toBe(claimed ? 0 : 1);
      expect(world.disk.existing.size).toBe(claimed ? 0 : 1);
      await world.instances.create(ada, imageId, ADDRESS);
    },
  );

  it('whose record was given while the answer was lost is removed by the reconciliation', async () => {
    const id = await addWarm();
    world.steps.failOnce('instances.claimWarm', new Error('answer lost'), 'after');
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow('answer lost');
    expect(world.store.rows.get(id)).toMatchObject({ userEmail: ada.email, status: 'creating' });
    await world.instances.reconcile();
    expect(world.store.rows.size).toBe(0);
    expect(world.disk.existing.size).toBe(0);
  });

  it.each(['instances.claimWarm', 'instances.findCredentials', 'instances.open'])(
    'is not taken for an orphan while it is at %s',
    async (step) => {
      const id = await addWarm();
      const hold = world.steps.hold(step);
      const created = world.instances.create(ada, imageId, ADDRESS);
      await hold.reached;
      await world.instances.reconcile();
      hold.release();
      expect((await created).instance.id).toBe(id);
    },
  );

  it('is not taken for an orphan before the one who asked knows which it is', async () => {
    const id = await addWarm();
    const hold = world.steps.hold('instances.claimWarm', 'after');
    const created = world.instances.create(ada, imageId, ADDRESS);
    await hold.reached;
    expect(world.store.rows.get(id)?.status).toBe('creating');
    await world.instances.reconcile();
    hold.release();
    expect((await created).instance.id).toBe(id);
  });

  it('passes over one that has died, which stays for the supervisor', async () => {
    const id = await addWarm();
    world.postmasters.alive.delete(id);
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    expect(instance.id).not.toBe(id);
    expect(world.store.rows.get(id)).toMatchObject({ userEmail: NOBODY, status: 'ready' });
  });

  it('passes over those of other images', async () => {
    const other = await addWarm(world.imageStore.add('ready'));
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    expect(instance.id).not.toBe(other);
  });

  it('passes over one whose creation failed and could not be undone', async () => {
    world.steps.failOnce('instances.open', new Error('answer lost'), 'after');
    world.steps.failOnce('instances.transition destroying', new Error('no database'));
    await expect(world.instances.createWarm(imageId)).rejects.toThrow('answer lost');
    expect(world.store.rows.get(1)).toMatchObject({ userEmail: NOBODY, status: 'ready' });
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    expect(instance.id).not.toBe(1);
    await world.instances.reconcile();
    expect([...world.store.rows.keys()]).toEqual([instance.id]);
  });

  it('passes over one that is not finished yet', async () => {
    const hold = world.steps.hold('instances.open', 'after');
    const making = world.instances.createWarm(imageId);
    await hold.reached;
    expect(world.store.rows.get(1)).toMatchObject({ userEmail: NOBODY, status: 'ready' });
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    expect(instance.id).not.toBe(1);
    hold.release();
    await making;
  });

  it('does not happen where none are made in advance', async () => {
    world = createWorld();
    imageId = world.imageStore.add('ready');
    const id = await addWarm();
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    expect(instance.id).not.toBe(id);
    expect(world.steps.taken).not.toContain('instances.listWarm');
  });

  it('reports idleness once the last creation for a user has ended, and not before', async () => {
    const hold = world.steps.hold('proof.prove');
    const slow = world.instances.create(ada, imageId, ADDRESS);
    await hold.reached;
    await world.instances.create(bob, imageId, ADDRESS);
    expect(world.idle.times).toBe(0);
    hold.release();
    await slow;
    expect(world.idle.times).toBe(1);
    await addWarm();
    expect(world.idle.times).toBe(1);
  });
});

describe('the ports of instances made in advance', () => {
  it('go to users, one after the other, until users have them all', async () => {
    const other = world.imageStore.add('ready');
    await occupyPorts(0, other);
    const count = PORT_RANGE.max - PORT_RANGE.min;
    for (let made = 0; made < count; made++) await world.instances.create(ada, imageId, ADDRESS);
    expect([...world.store.rows.values()].map(({ userEmail }) => userEmail)).toEqual(
      Array.from({ length: count }, () => ada.email),
    );
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toMatchObject({
      kind: 'no_free_port',
    });
    expect(world.disk.existing.size).toBe(count);
  });

  it('go to users who come at once', async () => {
    await occupyPorts(0, world.imageStore.add('ready'));
    const created = await Promise.all(
      [ada, bob, ada, bob].map((who) => world.instances.create(who, imageId, ADDRESS)),
    );
    expect(new Set(created.map(({ instance }) => instance.port)).size).toBe(4);
  });

  it('are waited for while the instance is still being made', async () => {
    const other = world.imageStore.add('ready');
    await occupyPorts(1, other);
    const hold = world.steps.hold('proof.prove');
    const making = world.instances.createWarm(other);
    await hold.reached;
    for (const id of [1, 2, 3]) world.store.rows.delete(id);
    for (let port = PORT_RANGE.min; port < PORT_RANGE.max - 1; port++)
      world.store.add({ imageId, userEmail: bob.email, status: 'ready', port });
    const creating = world.instances.create(ada, imageId, ADDRESS);
    const outcome = creating.catch((error: unknown) => error);
    // All that the creation does by itself is done then.
    expect(await Promise.race([outcome, setImmediate('it waits')])).toBe('it waits');
    hold.release();
    await making;
    expect((await creating).instance.userEmail).toBe(ada.email);
  });

  it('are waited for while the instance is being destroyed', async () => {
    await occupyPorts(0, world.imageStore.add('ready'));
    const hold = world.steps.hold('disk.destroyInstance');
    const retiring = world.instances.retireWarm(1);
    await hold.reached;
    for (const [id, row] of world.store.rows) {
      if (id !== 1) world.store.rows.set(id, { ...row, userEmail: bob.email });
    }
    const creating = world.instances.create(ada, imageId, ADDRESS);
    const outcome = creating.catch((error: unknown) => error);
    expect(await Promise.race([outcome, setImmediate('it waits')])).toBe('it waits');
    hold.release();
    await retiring;
    expect((await creating).instance.userEmail).toBe(ada.email);
  });

  it('go to a user when one of the instances cannot be destroyed', async () => {
    await occupyPorts(0, world.imageStore.add('ready'));
    world.steps.failOnce('disk.destroyInstance');
    expect((await world.instances.create(ada, imageId, ADDRESS)).instance.userEmail).toBe(ada.email);
    expect(world.log.at('error')).toHaveLength(1);
  });

  it('are not taken from one another', async () => {
    await occupyPorts();
    await expect(world.instances.createWarm(imageId)).rejects.toMatchObject({ kind: 'no_free_port' });
    expect(world.store.rows.size).toBe(PORT_RANGE.max - PORT_RANGE.min);
  });

  it('stay with an instance that has got an owner meanwhile', async () => {
    const id = await addWarm();
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    expect(instance.id).toBe(id);
    await world.instances.retireWarm(id);
    expect(world.store.rows.get(id)?.status).toBe('ready');
  });
});
