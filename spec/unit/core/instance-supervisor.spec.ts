import { beforeEach, describe, expect, it, vi } from 'vitest';
import { DomainError } from '../../../src/core/errors.ts';
import { CALLERS } from '../fakes/fake-authenticator.ts';
import { createWorld, type World } from '../fakes/world.ts';

const { ada } = CALLERS;
const ADDRESS = '192.0.2.7';

let world: World;
let imageId = 0;
beforeEach(() => {
  world = createWorld();
  imageId = world.imageStore.add('ready');
});

/** An instance whose Postgres has ended. */
async function createDead(): Promise<number> {
  const { instance } = await world.instances.create(ada, imageId, ADDRESS);
  die(instance.id);
  world.steps.taken.length = 0;
  return instance.id;
}

function die(id: number): void {
  world.postmasters.alive.delete(id);
  world.disk.existing.set(id, 'closed');
}

function getState(id: number) {
  const { status, failure } = world.store.rows.get(id) ?? {};
  return { status, failure };
}

const READY = { status: 'ready', failure: undefined };

describe('the supervisor of the instances', () => {
  it('leaves alone what runs', async () => {
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    await world.supervisor.run();
    expect(world.disk.started).toEqual([]);
    expect(getState(instance.id)).toEqual(READY);
  });

  it('starts what has ended, proves it, and only then opens it', async () => {
    const id = await createDead();
    await world.supervisor.run();
    expect(world.steps.taken.filter((step) => /start|prove|open/.test(step))).toEqual([
      `disk.startInstance ${id}`,
      'proof.prove',
      'process.open',
    ]);
    expect(world.disk.existing.get(id)).toBe('open');
    expect(getState(id)).toEqual(READY);
    expect(world.postmasters.alive.has(id)).toBe(true);
  });

  it('learns of those that an earlier server left running, without touching them', async () => {
    const id = await createDead();
    world.disk.existing.set(id, 'open');
    await world.supervisor.run();
    expect(world.disk.started).toEqual([]);
    expect(world.postmasters.alive.has(id)).toBe(true);
  });

  it.each(['stopped', 'failed'] as const)('sees that one recorded as %s runs', async (status) => {
    const { instance } = await world.instances.create(ada, imageId, ADDRESS);
    await world.store.transition(instance.id, ['ready'], status, 'Postgres did not come up');
    await world.supervisor.run();
    expect(world.disk.started).toEqual([]);
    expect(getState(instance.id)).toEqual(READY);
  });

  it('starts nothing while the firewall does not stand, which is no failure of the instance', async () => {
    const id = await createDead();
    world.steps.failOnce('allowList.require');
    await world.supervisor.run();
    expect(world.disk.started).toEqual([]);
    expect(getState(id)).toEqual(READY);
    expect(world.log.at('error')).toEqual([]);
    await world.supervisor.run();
    expect(world.disk.started).toEqual([id]);
  });

  it('never opens what was not proven, and says so', async () => {
    const id = await createDead();
    world.steps.failOnce('proof.prove', new Error('Postgres admits a connection with plaintext'));
    await world.supervisor.run();
    expect(world.steps.taken).not.toContain('process.open');
    expect(getState(id)).toEqual({ status: 'stopped', failure: 'Postgres did not come up' });
  });

  it('passes on why Postgres does not come up', async () => {
    const id = await createDead();
    world.disk.reason = 'could not locate a valid checkpoint record';
    world.steps.failOnce('proof.prove');
    await world.supervisor.run();
    expect(getState(id)).toEqual({ status: 'stopped', failure: world.disk.reason });
    expect((await world.instances.get(ada, id, ADDRESS)).instance.failure).toBe(world.disk.reason);
  });

  it('says that it is the key when credentials cannot be opened', async () => {
    const id = await createDead();
    world.store.credentials.set(id, Buffer.from('sealed by another key'));
    await world.supervisor.run();
    expect(getState(id)).toEqual({
      status: 'stopped',
      failure: 'its credentials cannot be opened: is the encryption key that of the database?',
    });
    expect(world.steps.taken).not.toContain('process.open');
  });

  it('tries again ever more slowly, and then the instance has failed', async () => {
    const id = await createDead();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt++) {
      expect(getState(id).status).toBe(attempt === 1 ? 'ready' : 'stopped');
      world.steps.failOnce(`disk.startInstance ${id}`, new DomainError('instance_failed', 'damaged'));
      let waited = 0;
      for (const before = countStarts(id); countStarts(id) === before; waited += 500) {
        if (waited > 0) world.pass(500);
        await world.supervisor.run();
      }
      waits.push(waited - 500);
    }
    expect(waits).toEqual([0, 1000, 2000, 4000, 8000]);
    expect(getState(id)).toEqual({ status: 'failed', failure: 'damaged' });
    // It is not given up for ever: what kept it down may be gone.
    world.pass(5 * 60_000);
    await world.supervisor.run();
    expect(getState(id)).toEqual(READY);
  });

  it('begins anew with one that has run well for a while', async () => {
    const id = await createDead();
    for (let i = 0; i < 4; i++) {
      await world.supervisor.run();
      die(id);
      world.pass(10 * 60_000);
    }
    world.steps.failOnce(`disk.startInstance ${id}`);
    await world.supervisor.run();
    world.pass(1000);
    await world.supervisor.run();
    expect(getState(id)).toEqual(READY);
  });

  it('does not let one that cannot start keep the others down', async () => {
    const [first, second] = [await createDead(), await createDead()];
    world.steps.failOnce(`disk.startInstance ${first}`);
    await world.supervisor.run();
    expect(getState(first).status).toBe('stopped');
    expect(getState(second)).toEqual(READY);
  });

  it('does not wait for one that takes for ever, nor begin it twice', async () => {
    const [slow, other] = [await createDead(), await createDead()];
    const hold = world.steps.hold(`disk.startInstance ${slow}`);
    await world.supervisor.run();
    expect(getState(other)).toEqual(READY);
    // Long enough for the next attempt, if the first one had ended.
    world.pass(10 * 60_000);
    await world.supervisor.run();
    expect(world.steps.taken.filter((step) => step === `disk.startInstance ${slow}`)).toHaveLength(1);
    hold.release();
    await vi.waitFor(() => expect(world.disk.existing.get(slow)).toBe('open'));
  });

  it('leaves alone what is made or goes away', async () => {
    for (const status of ['creating', 'destroying'] as const) {
      world.store.add({ imageId, userEmail: ada.email, status });
    }
    await world.supervisor.run();
    expect(world.disk.started).toEqual([]);
  });

  it('leaves alone one whose port belongs to another instance', async () => {
    const id = await createDead();
    const row = world.store.rows.get(id);
    if (row) world.store.rows.set(id, { ...row, portTaken: true });
    await world.supervisor.run();
    expect(world.disk.started).toEqual([]);
  });

  it('begins no start once the signal has fired', async () => {
    await createDead();
    await world.supervisor.run(AbortSignal.abort());
    expect(world.disk.started).toEqual([]);
  });

  it('counts nothing against the instances while the volume is not there', async () => {
    const id = await createDead();
    world.steps.failOnce('volume.requireMounted', new DomainError('storage_unavailable', 'not mounted'));
    await expect(world.supervisor.run()).rejects.toMatchObject({ kind: 'storage_unavailable' });
    await world.supervisor.run();
    expect(getState(id)).toEqual(READY);
  });

  it('tries again every few seconds, and gives nobody up, while the volume is full', async () => {
    const id = await createDead();
    const full = new DomainError('insufficient_disk', 'the volume is full');
    for (let attempt = 0; attempt < 10; attempt++) {
      world.steps.failOnce(`disk.startInstance ${id}`, full);
      await world.supervisor.run();
      expect(getState(id)).toEqual({ status: 'stopped', failure: 'the volume is full' });
      world.pass(3999);
      await world.supervisor.run();
      expect(countStarts(id)).toBe(attempt + 1);
      world.pass(1);
    }
    world.steps.failOnce(`disk.startInstance ${id}`, new DomainError('instance_failed', 'damaged'));
    await world.supervisor.run();
    // The first failure of its own.
    expect(getState(id)).toEqual({ status: 'stopped', failure: 'damaged' });
    world.pass(1000);
    await world.supervisor.run();
    expect(getState(id)).toEqual(READY);
  });

  it('does not bring back one that was destroyed meanwhile', async () => {
    const id = await createDead();
    const hold = world.steps.hold(`disk.startInstance ${id}`);
    const round = world.supervisor.run();
    await hold.reached;
    await world.instances.destroy(ada, id);
    world.steps.failOnce('proof.prove');
    hold.release();
    await round;
    expect(world.store.rows.has(id)).toBe(false);
    expect(world.log.at('warn')).toEqual([]);
  });
});

function countStarts(id: number): number {
  return world.steps.taken.filter((step) => step === `disk.startInstance ${id}`).length;
}
