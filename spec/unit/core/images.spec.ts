import { beforeEach, describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import { CALLERS } from '../fakes/fake-authenticator.ts';
import { createWorld, type World } from '../fakes/world.ts';

const { upload, ada } = CALLERS;
const NEW = { backedUpAt: new Date('2017-05-01T12:00:00Z'), anonymisationScript: 'DELETE FROM people' };

let world: World;
beforeEach(() => {
  world = createWorld();
});

function status(id: number): string | undefined {
  return world.imageStore.rows.get(id)?.status;
}

describe('the images', () => {
  it('list all but those that are going away', async () => {
    const kept = (['pending', 'finalising', 'ready', 'failed'] as const).map((state) =>
      world.imageStore.add(state),
    );
    world.imageStore.add('destroying');
    expect((await world.images.list()).map((image) => image.id)).toEqual(kept);
  });

  it('do not show one that is unknown or going away', async () => {
    const id = world.imageStore.add('destroying');
    await expect(world.images.get(id)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(world.images.get(99)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('may be changed by the upload user alone', async () => {
    const id = world.imageStore.add('ready');
    const forbidden = { kind: 'forbidden', message: 'only the upload user may change images' };
    await expect(world.images.create(ada, NEW)).rejects.toMatchObject(forbidden);
    await expect(world.images.finalise(ada, id)).rejects.toMatchObject(forbidden);
    await expect(world.images.destroy(ada, id)).rejects.toMatchObject(forbidden);
    // The role decides, not the name: a developer may be called like the upload user.
    const impostor = { role: 'developer', email: 'upload' } as const;
    await expect(world.images.destroy(impostor, id)).rejects.toMatchObject(forbidden);
    expect(world.steps.taken).toEqual([]);
  });
});

describe('the creation of an image', () => {
  it('makes the record, then the place to upload to', async () => {
    const image = await world.images.create(upload, NEW);
    expect(image).toMatchObject({ id: 1, status: 'pending', backedUpAt: NEW.backedUpAt });
    expect(world.steps.taken).toEqual([
      'volume.requireSpace',
      'images.insert',
      'disk.createImage',
      'images.transition pending',
    ]);
    expect([...world.imageDisk.uploads]).toEqual([1]);
    expect(world.log.lines).toEqual([{ level: 'info', fields: { imageId: 1 }, message: 'created image' }]);
  });

  it('leaves no record when the disk fails', async () => {
    world.steps.failOnce('disk.createImage', new Error('disk full'));
    await expect(world.images.create(upload, NEW)).rejects.toThrow('disk full');
    expect(world.imageStore.rows.size).toBe(0);
    expect(world.log.lines).toEqual([]);
  });

  it('never destroys what is on disk under an occupied id', async () => {
    world.steps.failOnce('disk.createImage', new DomainError('id_occupied', 'occupied'));
    await expect(world.images.create(upload, NEW)).rejects.toMatchObject({ kind: 'id_occupied' });
    expect(world.imageStore.rows.size).toBe(0);
    expect(world.steps.taken).not.toContain('disk.destroyImage');
  });
});

describe('the finalisation of an image', () => {
  it.each(['pending', 'failed'] as const)('makes a %s image ready with its own scripts', async (from) => {
    const id = world.imageStore.add(from, 'UPDATE people SET name = NULL', 0, '\\c shop\nSELECT 1;');
    expect(await world.images.finalise(upload, id)).toMatchObject({
      id,
      status: 'ready',
      failure: undefined,
    });
    expect(world.imageDisk.scripts).toEqual(['UPDATE people SET name = NULL']);
    expect(world.imageDisk.verifications).toEqual([[{ line: 2, database: 'shop', text: 'SELECT 1' }]]);
    expect([...world.imageDisk.snapshots]).toEqual([id]);
    expect(world.steps.taken).toEqual([
      'images.find',
      'volume.requireSpace',
      'images.transition finalising',
      'images.getAnonymisationScript',
      'images.getVerificationScript',
      'disk.finaliseImage',
      'images.transition ready',
    ]);
  });

  it('answers at once for an image that is ready', async () => {
    const id = world.imageStore.add('ready');
    expect(await world.images.finalise(upload, id)).toMatchObject({ id, status: 'ready' });
    expect(world.steps.taken).toEqual(['images.find']);
  });

  it('is joined by those who ask while it runs', async () => {
    const id = world.imageStore.add('pending');
    const hold = world.steps.hold('disk.finaliseImage');
    const first = world.images.finalise(upload, id);
    await hold.reached;
    const others = [world.images.finalise(upload, id), world.images.finalise(upload, id)];
    expect((await world.images.get(id)).status).toBe('finalising');
    hold.release();
    for (const image of await Promise.all([first, ...others])) expect(image.status).toBe('ready');
    expect(world.imageDisk.scripts).toHaveLength(1);
  });

  it('is not joined by an image of another id', async () => {
    const [one, two] = [world.imageStore.add('pending'), world.imageStore.add('pending')];
    const hold = world.steps.hold('disk.finaliseImage');
    const first = world.images.finalise(upload, one);
    await hold.reached;
    expect((await world.images.finalise(upload, two)).status).toBe('ready');
    expect(status(one)).toBe('finalising');
    hold.release();
    await first;
  });

  it('keeps the reason of a failure, and may be asked for again', async () => {
    const id = world.imageStore.add('pending');
    const failure = new DomainError('finalise_failed', 'the script failed in line 3 (42P01)');
    world.steps.failOnce('disk.finaliseImage', failure);
    await expect(world.images.finalise(upload, id)).rejects.toBe(failure);
    expect(await world.images.get(id)).toMatchObject({ status: 'failed', failure: failure.message });
    expect(world.log.at('warn')).toHaveLength(1);
    expect(await world.images.finalise(upload, id)).toMatchObject({ status: 'ready', failure: undefined });
  });

  it('keeps the text of an unforeseen failure to itself', async () => {
    const id = world.imageStore.add('pending');
    world.steps.failOnce('disk.finaliseImage', new Error('row ada@example.com is odd'));
    await expect(world.images.finalise(upload, id)).rejects.toThrow('ada@example.com');
    expect(await world.images.get(id)).toMatchObject({ status: 'failed', failure: 'internal error' });
  });

  it('fails as it did when the failure cannot be recorded, and says so in the log', async () => {
    const id = world.imageStore.add('pending');
    const failure = new DomainError('finalise_failed', 'the upload holds no backup');
    world.steps.failOnce('disk.finaliseImage', failure);
    world.steps.failOnce('images.transition failed', new Error('connection lost'));
    await expect(world.images.finalise(upload, id)).rejects.toBe(failure);
    expect(world.log.at('error')).toEqual([
      expect.objectContaining({ fields: { imageId: id, err: expect.any(Error) as Error } }),
    ]);
  });

  it('takes up a preparation that was interrupted', async () => {
    const id = world.imageStore.add('finalising', '', 1);
    expect(await world.images.finalise(upload, id)).toMatchObject({ status: 'ready', attempts: 2 });
  });

  it('can be begun without waiting for its end, and followed', async () => {
    const id = world.imageStore.add('pending');
    const hold = world.steps.hold('disk.finaliseImage');
    const image = await world.images.beginFinalising(upload, id);
    expect(image).toMatchObject({ id, status: 'finalising' });
    expect(status(id)).toBe('finalising');
    await hold.reached;
    expect(world.images.getProgress(id)).toEqual({ step: 'unpack', number: 1, of: 2 });
    expect(await world.images.beginFinalising(upload, id)).toMatchObject({ status: 'finalising' });
    const joined = world.images.finalise(upload, id);
    hold.release();
    expect((await joined).status).toBe('ready');
    expect(world.imageDisk.scripts).toHaveLength(1);
    expect(world.images.getProgress(id)).toBeUndefined();
    expect((await world.images.beginFinalising(upload, id)).status).toBe('ready');
  });

  it('that was begun without waiting leaves its failure with the image', async () => {
    const id = world.imageStore.add('pending');
    const hold = world.steps.hold('images.transition failed');
    world.steps.failOnce('disk.finaliseImage', new DomainError('finalise_failed', 'line 3'));
    await world.images.beginFinalising(upload, id);
    await hold.reached;
    hold.release();
    await world.images.close();
    expect(await world.images.get(id)).toMatchObject({ status: 'failed', failure: 'line 3' });
    expect(world.log.at('error')).toEqual([]);
  });

  it('that was begun without waiting logs the cause of an unforeseen failure once', async () => {
    const id = world.imageStore.add('pending');
    const hold = world.steps.hold('disk.finaliseImage');
    const cause = new Error('the disk has the serial number 4711');
    world.steps.failOnce('disk.finaliseImage', cause);
    for (let count = 0; count < 2; count++) await world.images.beginFinalising(upload, id);
    hold.release();
    await expect.poll(() => status(id)).toBe('failed');
    expect(world.log.at('error')).toEqual([
      { level: 'error', message: 'image could not be finalised', fields: { imageId: id, err: cause } },
    ]);
  });

  it('waits for its turn, and is refused unrecorded when too many wait', async () => {
    world.imageDisk.neverEnds = true;
    const ids = [1, 2, 3, 4, 5].map(() => world.imageStore.add('pending'));
    const last = ids.pop() ?? 0;
    for (const id of ids) await world.images.beginFinalising(upload, id);
    expect(ids.map(status)).toEqual(ids.map(() => 'finalising'));
    expect(world.images.getProgress(4)).toEqual({ step: 'queued', number: 0, of: 0 });
    await expect(world.images.finalise(upload, last)).rejects.toMatchObject({ kind: 'too_busy' });
    expect(status(last)).toBe('pending');
    await world.images.close();
  });

  it('that was refused since too many waited can be asked for again', async () => {
    const ids = [1, 2, 3, 4].map(() => world.imageStore.add('pending'));
    const last = world.imageStore.add('pending');
    const holds = ['disk.finaliseImage', 'images.transition ready'].map((step) => world.steps.hold(step));
    const others = ids.map((id) => world.images.finalise(upload, id));
    await Promise.all(holds.map((hold) => hold.reached));
    await expect(world.images.finalise(upload, last)).rejects.toMatchObject({ kind: 'too_busy' });
    for (const hold of holds) hold.release();
    await Promise.all(others);
    expect((await world.images.finalise(upload, last)).status).toBe('ready');
  });

  it('fails when it takes longer than it may', async () => {
    world = createWorld({ finaliseTimeoutMs: 1 });
    world.imageDisk.neverEnds = true;
    const id = world.imageStore.add('pending');
    await expect(world.images.finalise(upload, id)).rejects.toMatchObject({ kind: 'finalise_interrupted' });
    expect(status(id)).toBe('failed');
  });

  it('that ends with the server is not logged as a failure', async () => {
    const id = world.imageStore.add('pending');
    const hold = world.steps.hold('disk.finaliseImage');
    world.steps.failOnce('disk.finaliseImage', new Error('draupnir-finalise-image failed'));
    await world.images.beginFinalising(upload, id);
    await hold.reached;
    const closing = world.images.close();
    hold.release();
    await closing;
    expect(status(id)).toBe('finalising');
    expect(world.log.lines).toEqual([]);
  });

  it('answers not_found for an image that is unknown or going away', async () => {
    const id = world.imageStore.add('destroying');
    await expect(world.images.finalise(upload, id)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(world.images.finalise(upload, 99)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('ends early when the server closes, which waits for that end; the next server takes it up', async () => {
    const id = world.imageStore.add('pending');
    world.imageDisk.neverEnds = true;
    const begun = world.steps.hold('disk.finaliseImage');
    const outcome = world.images.finalise(upload, id).catch((error: unknown) => error);
    await begun.reached;
    let closed = false;
    const closing = world.images.close().then(() => (closed = true));
    await Promise.resolve();
    expect(closed).toBe(false);
    begun.release();
    await closing;
    expect(await outcome).toMatchObject({ kind: 'finalise_interrupted' });
    expect(status(id)).toBe('finalising');
  });

  it('is not begun any more once the server closes, though a ready image is still answered', async () => {
    const [pending, ready] = [world.imageStore.add('pending'), world.imageStore.add('ready')];
    await world.images.close();
    await expect(world.images.finalise(upload, pending)).rejects.toMatchObject({ kind: 'shutting_down' });
    expect(status(pending)).toBe('pending');
    expect((await world.images.finalise(upload, ready)).status).toBe('ready');
  });
});

describe('the destruction of an image', () => {
  it('takes the instances first, then the disk, and the record last', async () => {
    const id = world.imageStore.add('ready');
    const other = world.imageStore.add('ready');
    for (const state of ['ready', 'creating', 'destroying'] as const) {
      const instance = world.store.add({ imageId: id, userEmail: 'ada@example.com', status: state });
      world.disk.existing.set(instance, 'open');
    }
    const kept = world.store.add({ imageId: other, userEmail: 'ada@example.com', status: 'ready' });
    await world.images.destroy(upload, id);
    expect([...world.imageStore.rows.keys()]).toEqual([other]);
    expect([...world.store.rows.keys()]).toEqual([kept]);
    expect(world.disk.existing.size).toBe(0);
    const order = world.steps.taken.filter((step) => !step.startsWith('images.find'));
    expect(order[0]).toBe('images.transition destroying');
    expect(order.slice(-3)).toEqual(['allowList.withdraw', 'disk.destroyImage', 'images.delete']);
    expect(order.lastIndexOf('disk.destroyInstance')).toBeLessThan(order.indexOf('instances.delete') + 3);
  });

  it('is refused while the image is prepared', async () => {
    const id = world.imageStore.add('pending');
    const hold = world.steps.hold('disk.finaliseImage');
    const finalised = world.images.finalise(upload, id);
    await hold.reached;
    await expect(world.images.destroy(upload, id)).rejects.toMatchObject({ kind: 'image_busy' });
    hold.release();
    expect((await finalised).status).toBe('ready');
  });

  it('answers not_found when there is no such image', async () => {
    await expect(world.images.destroy(upload, 99)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('answers not_found for an image that is still being created', async () => {
    const id = world.imageStore.add('creating');
    await expect(world.images.destroy(upload, id)).rejects.toMatchObject({ kind: 'not_found' });
    expect(status(id)).toBe('creating');
  });

  it('is joined by a second request while it runs', async () => {
    const id = world.imageStore.add('ready');
    const hold = world.steps.hold('disk.destroyImage');
    const first = world.images.destroy(upload, id);
    await hold.reached;
    const second = world.images.destroy(upload, id);
    hold.release();
    await Promise.all([first, second]);
    expect(world.steps.taken.filter((step) => step === 'disk.destroyImage')).toHaveLength(1);
  });

  it.each(['instances.listByImage', 'disk.destroyImage', 'images.delete'])(
    'can be asked for again when %s failed',
    async (step) => {
      const id = world.imageStore.add('ready');
      world.steps.failOnce(step);
      await expect(world.images.destroy(upload, id)).rejects.toThrow(`${step} failed`);
      expect(status(id)).toBe('destroying');
      await world.images.destroy(upload, id);
      expect(world.imageStore.rows.size).toBe(0);
    },
  );

  it('is waited for when the server closes', async () => {
    const id = world.imageStore.add('ready');
    const hold = world.steps.hold('disk.destroyImage');
    const destroyed = world.images.destroy(upload, id);
    await hold.reached;
    const closing = world.images.close().then(() => world.imageStore.rows.size);
    hold.release();
    expect(await closing).toBe(0);
    await destroyed;
  });
});

describe('the reconciliation of the images', () => {
  it('finishes destructions, takes up interrupted preparations and leaves the rest', async () => {
    const states = ['pending', 'finalising', 'ready', 'failed', 'destroying'] as const;
    const [pending = 0, finalising = 0, ready = 0, failed = 0, destroying = 0] = states.map((state) =>
      world.imageStore.add(state),
    );
    world.imageDisk.uploads.add(destroying).add(finalising);
    await world.images.reconcile();
    expect((await world.images.finalise(upload, finalising)).status).toBe('ready');
    expect([pending, finalising, ready, failed, destroying].map(status)).toEqual([
      'pending',
      'ready',
      'ready',
      'failed',
      undefined,
    ]);
    expect(world.imageDisk.scripts).toHaveLength(1);
    expect([...world.imageDisk.uploads]).toEqual([finalising]);
  });

  it('gives up a preparation that was interrupted too often, and it may be asked for again', async () => {
    const id = world.imageStore.add('finalising', '', 5);
    await world.images.reconcile();
    expect(await world.images.get(id)).toMatchObject({
      status: 'failed',
      failure: 'the preparation was interrupted 5 times; ask for it again',
      failureKind: 'finalise_interrupted',
    });
    expect(world.imageDisk.scripts).toEqual([]);
    expect((await world.images.finalise(upload, id)).status).toBe('ready');
  });

  it('leaves alone what is under way', async () => {
    const hold = world.steps.hold('disk.createImage');
    const created = world.images.create(upload, NEW);
    await hold.reached;
    await world.images.reconcile();
    expect(world.imageStore.rows.get(1)?.status).toBe('creating');
    hold.release();
    expect((await created).status).toBe('pending');
    const preparing = world.steps.hold('disk.finaliseImage');
    const finalised = world.images.finalise(upload, 1);
    await preparing.reached;
    await world.images.reconcile();
    preparing.release();
    await finalised;
    expect(world.imageDisk.scripts).toHaveLength(1);
  });

  it('removes an image nobody was told of', async () => {
    const id = world.imageStore.add('creating');
    world.imageDisk.uploads.add(id);
    expect(await world.images.list()).toEqual([]);
    await world.images.reconcile();
    expect(world.imageStore.rows.size).toBe(0);
    expect(world.imageDisk.uploads.size).toBe(0);
  });

  it('leaves alone one whose record is being made, and removes others once it is made', async () => {
    const hold = world.steps.hold('images.insert', 'after');
    const created = world.images.create(upload, NEW);
    await hold.reached;
    await world.images.reconcile();
    expect([...world.imageStore.rows.values()]).toMatchObject([{ status: 'creating' }]);
    hold.release();
    const { id } = await created;
    world.imageStore.add('creating');
    await world.images.reconcile();
    expect([...world.imageStore.rows.keys()]).toEqual([id]);
  });

  it('goes on when one image cannot be destroyed', async () => {
    const stuck = world.imageStore.add('destroying');
    const interrupted = world.imageStore.add('finalising');
    world.steps.failOnce('disk.destroyImage');
    await world.images.reconcile();
    expect(status(stuck)).toBe('destroying');
    expect((await world.images.finalise(upload, interrupted)).status).toBe('ready');
    expect(world.log.at('error')).toHaveLength(1);
  });
});
