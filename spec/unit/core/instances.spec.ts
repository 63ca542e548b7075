import { beforeEach, describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import { CALLERS } from '../fakes/fake-authenticator.ts';
import { FAKE_PID } from '../fakes/fake-instance-storage.ts';
import { createFakeChain, createWorld, PORT_RANGE, type World } from '../fakes/world.ts';

const { upload, ada, bob } = CALLERS;
const ADDRESS = '192.0.2.7';

/** What a creation does, in order. */
const CREATION = [
  'volume.requireSpace',
  'images.find',
  'allowList.require',
  'instances.insert',
  'ports.isFree',
  'certificates.issue',
  'disk.createInstance',
  'proof.prove',
  'allowList.admit',
  'process.open',
  'postmasters.remember',
  'instances.open',
];

let world: World;
let imageId = 0;
beforeEach(() => {
  world = createWorld();
  imageId = world.imageStore.add('ready');
});

describe('the creation of an instance', () => {
  it('reserves, makes, proves, and only then opens and records', async () => {
    const { instance, credentials } = await world.instances.create(ada, imageId, ADDRESS);
    expect(world.steps.taken).toEqual(CREATION);
    expect(instance).toMatchObject({ id: 1, imageId, port: 6000, userEmail: ada.email, status: 'ready' });
    const { ca, client } = createFakeChain(1);
    expect(credentials).toEqual({ ca, client });
    expect(world.proof.proven).toEqual([{ id: 1, port: 6000, pid: FAKE_PID }]);
    expect(world.disk.existing).toEqual(new Map([[1, 'open']]));
    expect(world.disk.chains).toEqual([createFakeChain(1)]);
    expect(world.allowList.admitted).toEqual([{ instanceId: 1, address: ADDRESS }]);
  });

  it('is counted, and so is one that fails, with the reason', async () => {
    await world.instances.create(ada, imageId, ADDRESS);
    world.steps.failOnce('volume.requireSpace', new DomainError('insufficient_disk', 'no space'));
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow('no space');
    world.steps.failOnce('proof.prove', new Error('bug'));
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow();
    expect(world.meter.created).toEqual([{ warm: false }]);
    expect(world.meter.notCreated).toEqual(['insufficient_disk', 'internal']);
  });

  it('keeps the credentials sealed, without the key of the server', async () => {
    const { credentials } = await world.instances.create(ada, imageId, ADDRESS);
    expect(world.store.credentials.get(1)?.toString()).not.toContain('server key');
    expect(await world.instances.get(ada, 1, ADDRESS)).toMatchObject({ credentials });
  });

  it('whose last answer was lost together with the database is undone when that is back', async () => {
    const gone = new DomainError('database_unavailable', 'try again');
    world.steps.failOnce('instances.open', gone, 'after');
    world.steps.failOnce('instances.transition destroying', gone);
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toBe(gone);
    expect(world.store.rows.get(1)?.status).toBe('ready');
    await world.instances.reconcile();
    expect(world.store.rows.size).toBe(0);
    expect(world.disk.existing.size).toBe(0);
  });

  it('that fails on a volume without room says so', async () => {
    const hold = world.steps.hold('disk.createInstance');
    world.steps.failOnce('disk.createInstance', new Error('draupnir-create-instance failed'));
    const creating = world.instances.create(ada, imageId, ADDRESS);
    await hold.reached;
    world.steps.failOnce('volume.requireSpace', new DomainError('insufficient_disk', 'it lacks 12 MiB'));
    hold.release();
    await expect(creating).rejects.toMatchObject({ kind: 'insufficient_disk', message: 'it lacks 12 MiB' });
    expect(world.store.rows.size).toBe(0);
  });

  it.each(CREATION)('leaves nothing behind when %s fails', async (step) => {
    world.steps.failOnce(step);
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow(`${step} failed`);
    expect(world.store.rows.size).toBe(0);
    expect(world.disk.existing.size).toBe(0);
    expect(world.log.lines).toEqual([]);
    // The port is free again, and the same request succeeds.
    expect((await world.instances.create(ada, imageId, ADDRESS)).instance.port).toBe(6000);
  });

  it.each(CREATION.slice(CREATION.indexOf('instances.insert') + 1))(
    'leaves nothing behind when the answer of %s is lost',
    async (step) => {
      world.steps.failOnce(step, new Error('answer lost'), 'after');
      await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow('answer lost');
      expect(world.store.rows.size).toBe(0);
      expect(world.disk.existing.size).toBe(0);
    },
  );

  it.each(['proof.prove', 'process.open'])('abandons the process when %s fails', async (step) => {
    world.steps.failOnce(step);
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow();
    expect(world.steps.taken).toContain('process.abandon');
    expect(world.disk.existing.get(1)).toBeUndefined();
  });

  it('never opens what was not proven', async () => {
    world.steps.failOnce('proof.prove', new Error('Postgres admits a connection with plaintext'));
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow('plaintext');
    expect(world.steps.taken).not.toContain('process.open');
    expect(world.steps.taken).not.toContain('instances.open');
  });

  it('leaves nothing behind when abandoning fails as well', async () => {
    world.steps.failOnce('proof.prove');
    world.steps.failOnce('process.abandon');
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow();
    expect(world.store.rows.size).toBe(0);
    expect(world.disk.existing.size).toBe(0);
  });

  it('tells the first failure when the removal fails, and recovery finishes it', async () => {
    world.steps.failOnce('instances.open', new Error('connection lost'));
    world.steps.failOnce('disk.destroyInstance', new Error('disk busy'));
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toThrow('connection lost');
    expect(world.store.rows.get(1)?.status).toBe('destroying');
    expect(world.log.at('error')).toHaveLength(1);
    expect(await world.instances.list(ada)).toEqual([]);
    await world.instances.reconcile();
    expect(world.store.rows.size).toBe(0);
    expect(world.disk.existing.size).toBe(0);
  });

  it('touches nothing when the firewall cannot let anybody in', async () => {
    world.steps.failOnce('allowList.require', new DomainError('firewall_unavailable', 'ask again'));
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toMatchObject({
      kind: 'firewall_unavailable',
    });
    expect(world.steps.taken).toEqual(['volume.requireSpace', 'images.find', 'allowList.require']);
  });

  it('does not answer before the address is let in', async () => {
    const hold = world.steps.hold('allowList.admit');
    const created = world.instances.create(ada, imageId, ADDRESS);
    await hold.reached;
    expect(world.steps.taken).not.toContain('process.open');
    hold.release();
    await created;
  });

  it('never destroys what is on disk under an occupied id', async () => {
    world.disk.existing.set(1, 'open');
    world.steps.failOnce('disk.createInstance', new DomainError('id_occupied', 'occupied'));
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toMatchObject({
      kind: 'id_occupied',
    });
    expect(world.steps.taken).not.toContain('disk.destroyInstance');
    expect(world.disk.existing.get(1)).toBe('open');
    expect(world.store.rows.size).toBe(0);
  });

  it('takes another port when a stranger listens on the one it got', async () => {
    world.ports.taken.add(6000).add(6001);
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    expect(instance.port).toBe(6002);
    expect([...world.store.rows.values()].map((row) => row.port)).toEqual([6002]);
  });

  it('leaves nothing behind when strangers listen on all ports', async () => {
    for (let port = PORT_RANGE.min; port < PORT_RANGE.max; port++) world.ports.taken.add(port);
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toMatchObject({
      kind: 'no_free_port',
    });
    expect(world.store.rows.size).toBe(0);
  });

  it.each(['pending', 'finalising', 'failed'] as const)('is refused for a %s image', async (state) => {
    const id = world.imageStore.add(state);
    await expect(world.instances.create(ada, id, ADDRESS)).rejects.toMatchObject({ kind: 'image_not_ready' });
    expect(world.store.rows.size).toBe(0);
  });

  it('is refused for an image that is unknown or going away', async () => {
    const id = world.imageStore.add('destroying');
    const unknown = { kind: 'image_not_found' };
    await expect(world.instances.create(ada, id, ADDRESS)).rejects.toMatchObject(unknown);
    await expect(world.instances.create(ada, 99, ADDRESS)).rejects.toMatchObject(unknown);
  });

  it('fails, and leaves nothing, when the image is destroyed meanwhile', async () => {
    const hold = world.steps.hold('proof.prove');
    const created = world.instances.create(ada, imageId, ADDRESS);
    const outcome = created.catch((error: unknown) => error);
    await hold.reached;
    const destruction = world.steps.hold('disk.destroyInstance');
    const destroyed = world.images.destroy(upload, imageId);
    await destruction.reached;
    destruction.release();
    hold.release();
    expect(await outcome).toMatchObject({ kind: 'image_not_ready' });
    await destroyed;
    expect(world.store.rows.size).toBe(0);
    expect(world.disk.existing.size).toBe(0);
  });
});

describe('an instance', () => {
  let id = 0;
  beforeEach(async () => {
    ({
      instance: { id },
    } = await world.instances.create(ada, imageId, ADDRESS));
  });

  it('is seen by its owner, whose address is remembered', async () => {
    const { instance } = await world.instances.get(ada, id, '2001:db8::1');
    expect(instance.id).toBe(id);
    expect(world.allowList.admitted.at(-1)).toEqual({ instanceId: id, address: '2001:db8::1' });
    expect(await world.instances.list(ada)).toHaveLength(1);
  });

  it('does not exist for anybody else, whose address is not remembered', async () => {
    const before = world.allowList.admitted.length;
    for (const other of [bob, upload]) {
      await expect(world.instances.get(other, id, ADDRESS)).rejects.toMatchObject({ kind: 'not_found' });
      expect(await world.instances.list(other)).toEqual([]);
    }
    expect(world.allowList.admitted).toHaveLength(before);
  });

  it('is not destroyed by another developer', async () => {
    await expect(world.instances.destroy(bob, id)).rejects.toMatchObject({ kind: 'not_found' });
    expect(world.disk.existing.get(id)).toBe('open');
  });

  it.each([ada, upload])(
    'is destroyed by $email: disk first, record last, then its rules',
    async (caller) => {
      world.steps.taken.length = 0;
      await world.instances.destroy(caller, id);
      expect(world.steps.taken).toEqual([
        'instances.find',
        'instances.transition destroying',
        'disk.destroyInstance',
        'instances.delete',
        'allowList.withdraw',
      ]);
      expect(world.store.rows.size).toBe(0);
      expect(world.disk.existing.size).toBe(0);
      await expect(world.instances.destroy(caller, id)).rejects.toMatchObject({ kind: 'not_found' });
    },
  );

  it.each(['disk.destroyInstance', 'instances.delete'])(
    'can be destroyed again by its owner when %s failed',
    async (step) => {
      world.steps.failOnce(step);
      await expect(world.instances.destroy(ada, id)).rejects.toThrow(`${step} failed`);
      await expect(world.instances.get(ada, id, ADDRESS)).rejects.toMatchObject({ kind: 'not_found' });
      await expect(world.instances.destroy(bob, id)).rejects.toMatchObject({ kind: 'not_found' });
      await world.instances.destroy(ada, id);
      expect(world.store.rows.size).toBe(0);
    },
  );

  it('is destroyed once when two ask for it', async () => {
    const hold = world.steps.hold('disk.destroyInstance');
    const first = world.instances.destroy(ada, id);
    await hold.reached;
    const second = world.instances.destroy(ada, id);
    hold.release();
    await Promise.all([first, second]);
    expect(world.steps.taken.filter((step) => step === 'disk.destroyInstance')).toHaveLength(1);
  });

  it('of an unknown id is not found', async () => {
    await expect(world.instances.get(ada, 99, ADDRESS)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(world.instances.destroy(upload, 99)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('that nobody was told of yet is not seen', async () => {
    const creating = world.store.add({ imageId, userEmail: ada.email, status: 'creating' });
    await expect(world.instances.get(ada, creating, ADDRESS)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(world.instances.destroy(ada, creating)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('that was adopted is shown with the credentials it has on disk', async () => {
    world.store.credentials.delete(id);
    const { credentials } = await world.instances.get(ada, id, ADDRESS);
    expect(credentials.client).toEqual({ certificate: 'adopted', key: 'adopted key' });
    await expect(world.instances.get(bob, id, ADDRESS)).rejects.toMatchObject({ kind: 'not_found' });
    expect(world.steps.taken.filter((step) => step === 'disk.readAdoptedCredentials')).toHaveLength(1);
  });

  it('is not shown with the credentials of another', async () => {
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    const box = world.store.credentials.get(instance.id);
    if (box) world.store.credentials.set(id, box);
    await expect(world.instances.get(ada, id, ADDRESS)).rejects.toThrow('sealed for something else');
  });
});

describe('the closing of the instances', () => {
  it('waits for a creation under way and takes no new one', async () => {
    const hold = world.steps.hold('proof.prove');
    const created = world.instances.create(ada, imageId, ADDRESS);
    await hold.reached;
    const closing = world.instances.close().then(() => world.store.rows.get(1)?.status);
    await expect(world.instances.create(ada, imageId, ADDRESS)).rejects.toMatchObject({
      kind: 'shutting_down',
    });
    hold.release();
    expect(await closing).toBe('ready');
    await created;
  });

  it('waits for a creation that fails, until all of it is removed', async () => {
    const hold = world.steps.hold('disk.destroyInstance');
    world.steps.failOnce('proof.prove');
    const outcome = world.instances.create(ada, imageId, ADDRESS).catch((error: unknown) => error);
    await hold.reached;
    const closing = world.instances.close().then(() => world.store.rows.size);
    hold.release();
    expect(await closing).toBe(0);
    expect(await outcome).toBeInstanceOf(Error);
  });

  it('waits for a destruction under way', async () => {
    const id = world.store.add({ imageId, userEmail: ada.email, status: 'ready' });
    const hold = world.steps.hold('disk.destroyInstance');
    const destroyed = world.instances.destroy(ada, id);
    await hold.reached;
    const closing = world.instances.close().then(() => world.store.rows.size);
    hold.release();
    expect(await closing).toBe(0);
    await destroyed;
  });
});

describe('the reconciliation of the instances', () => {
  it('removes those nobody was told of, and finishes destructions', async () => {
    const states = ['ready', 'creating', 'destroying', 'stopped', 'failed'] as const;
    const ids = states.map((status) => world.store.add({ imageId, userEmail: ada.email, status }));
    for (const id of ids) world.disk.existing.set(id, 'open');
    await world.instances.reconcile();
    expect([...world.store.rows.keys()]).toEqual([1, 4, 5]);
    expect([...world.disk.existing.keys()]).toEqual([1, 4, 5]);
  });

  it.each(['instances.insert', 'ports.isFree', 'disk.createInstance', 'proof.prove', 'instances.open'])(
    'leaves alone a creation that is at %s',
    async (step) => {
      const hold = world.steps.hold(step);
      const created = world.instances.create(ada, imageId, ADDRESS);
      await hold.reached;
      await world.instances.reconcile();
      hold.release();
      expect((await created).instance.status).toBe('ready');
    },
  );

  it('does not let one that cannot be removed keep the others', async () => {
    for (let i = 0; i < 2; i++) world.store.add({ imageId, userEmail: ada.email, status: 'destroying' });
    world.steps.failOnce('disk.destroyInstance');
    await world.instances.reconcile();
    expect([...world.store.rows.keys()]).toEqual([1]);
    expect(world.log.at('error')).toHaveLength(1);
  });
});
