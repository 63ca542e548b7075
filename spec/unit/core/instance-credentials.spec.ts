import { beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { openCredentials } from '../../../src/core/sealed-credentials.ts';
import { createWorld, type World } from '../fakes/world.ts';

const ADA: Caller = { role: 'developer', email: 'ada@example.com' };
const BOB: Caller = { role: 'developer', email: 'bob@example.com' };
const UPLOAD: Caller = { role: 'upload', email: 'upload' };
const ADDRESS = '192.0.2.7';
const ID = 1;
const INSTANCE = { id: ID, port: 6000 };

let world: World;
beforeEach(async () => {
  world = createWorld();
  world.imageStore.add('ready');
  await world.instances.create(ADA, 1, ADDRESS);
  world.steps.taken.length = 0;
});

function readStored() {
  const box = world.store.credentials.get(ID);
  if (!box) throw new Error('no credentials');
  return openCredentials(world.sealer, ID, box);
}

async function getCa(): Promise<string> {
  return (await world.instances.get(ADA, ID, ADDRESS)).credentials.ca.certificate;
}

const rotate = (caller = ADA, id = ID) => world.credentials.rotate(caller, id, ADDRESS);

describe('the replacement of credentials', () => {
  it('writes the intent, makes the change, proves it, ends the sessions, and writes it as done', async () => {
    const { credentials } = await rotate();
    expect(world.steps.taken).toEqual([
      'instances.find',
      'allowList.admit',
      'instances.findCredentials',
      'authority.createChain',
      'credentials.replace',
      'certificates.install',
      'certificates.prove',
      'certificates.keep',
      'credentials.replace',
    ]);
    expect(credentials.ca.certificate).toBe('ca certificate 1, new 1');
    expect(readStored()).toEqual({ ca: credentials.ca, client: credentials.client });
    expect(await getCa()).toBe('ca certificate 1, new 1');
    expect(world.certificates.ended).toEqual([ID]);
    expect(world.certificateProof.retired[0]?.client.certificate).toBe('client certificate 1');
    expect(world.allowList.admitted.at(-1)).toEqual({ instanceId: ID, address: ADDRESS });
  });

  it.each([
    ['another developer', BOB, ID],
    ['the upload user', UPLOAD, ID],
    ['an id that is not there', ADA, 2],
  ])('does not exist for %s', async (_who, caller, id) => {
    await expect(rotate(caller, id)).rejects.toMatchObject({ kind: 'not_found' });
    expect(world.steps.taken).toEqual(['instances.find']);
  });

  it.each(['creating', 'destroying'] as const)(
    'does not exist for an instance that is %s',
    async (status) => {
      const id = world.store.add({ imageId: 1, userEmail: ADA.email, status });
      await expect(rotate(ADA, id)).rejects.toMatchObject({ kind: 'not_found' });
    },
  );

  it('is refused for an instance of Draupnir 5.3, which is left alone', async () => {
    const id = world.store.add({ imageId: 1, userEmail: ADA.email, status: 'ready' });
    await expect(rotate(ADA, id)).rejects.toMatchObject({ kind: 'not_replaceable' });
    expect(world.certificates.served.has(id)).toBe(false);
  });

  it('is done once for all who ask at the same time', async () => {
    const [one, other] = await Promise.all([rotate(), rotate()]);
    expect(other.credentials).toEqual(one.credentials);
    expect(world.steps.taken.filter((step) => step === 'certificates.install')).toHaveLength(1);
  });

  it('waits for a renewal that is under way', async () => {
    const hold = world.steps.hold('certificates.install');
    const renewing = world.credentials.renew(INSTANCE);
    await hold.reached;
    const rotating = rotate();
    hold.release();
    await Promise.all([renewing, rotating]);
    expect(world.steps.taken.filter((step) => step.startsWith('authority'))).toEqual([
      'authority.renewChain',
      'authority.createChain',
    ]);
    expect(readStored().ca.key).toBe('ca key 1, new 2');
  });

  it.each(['allowList.admit', 'authority.createChain', 'certificates.install', 'certificates.prove'])(
    'leaves everything as it was when %s fails, and can be asked for again',
    async (step) => {
      const before = readStored();
      world.steps.failOnce(step);
      await expect(rotate()).rejects.toThrow(`${step} failed`);
      expect(readStored()).toEqual(before);
      expect(await getCa()).toBe('ca certificate 1');
      expect(world.certificates.ended).toEqual([]);
      await rotate();
      expect(readStored().ca.certificate).toMatch(/new/);
    },
  );

  it('brings the old certificates back when the proof fails', async () => {
    world.steps.failOnce('certificates.prove');
    await expect(rotate()).rejects.toThrow();
    expect(world.steps.taken).toContain('certificates.undo');
    expect(world.certificates.served.has(ID)).toBe(false);
  });

  it('needs no proof of an instance that does not run', async () => {
    world.certificates.stopped.add(ID);
    await rotate();
    expect(world.steps.taken).not.toContain('certificates.prove');
    expect(await getCa()).toBe('ca certificate 1, new 1');
  });

  it('is taken up by whoever asks for the credentials when its end was lost', async () => {
    world.steps.failOnce('certificates.keep');
    await expect(rotate()).rejects.toThrow('certificates.keep failed');
    expect(readStored().next).toBeDefined();
    expect(await getCa()).toBe('ca certificate 1, new 1');
    expect(readStored().next).toBeUndefined();
    expect(world.certificates.ended).toEqual([ID]);
  });

  it('takes the place of one whose end was lost', async () => {
    world.steps.failOnce('certificates.keep');
    await expect(rotate()).rejects.toThrow();
    await rotate();
    expect(await getCa()).toBe('ca certificate 1, new 2');
  });

  it('says that there is no such instance when it is destroyed meanwhile', async () => {
    const hold = world.steps.hold('certificates.prove');
    const rotating = rotate();
    await hold.reached;
    await world.instances.destroy(ADA, ID);
    world.certificates.served.delete(ID);
    hold.release();
    await expect(rotating).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('changes nothing on the disk of one that is destroyed before the intent is written', async () => {
    const hold = world.steps.hold('authority.createChain');
    const outcome = rotate().catch((error: unknown) => error);
    await hold.reached;
    await world.instances.destroy(ADA, ID);
    hold.release();
    expect(await outcome).toMatchObject({ kind: 'not_found' });
    expect(world.steps.taken).not.toContain('certificates.install');
  });

  it('says that there is no such instance when a destruction has begun meanwhile', async () => {
    const hold = world.steps.hold('certificates.install');
    world.steps.failOnce('certificates.install', new Error('draupnir-renew-instance failed'));
    const outcome = rotate().catch((error: unknown) => error);
    await hold.reached;
    await world.store.transition(ID, ['ready'], 'destroying');
    hold.release();
    expect(await outcome).toMatchObject({ kind: 'not_found' });
  });

  it('is refused when the server is shutting down, which waits for those under way', async () => {
    const hold = world.steps.hold('certificates.install');
    const rotating = rotate();
    await hold.reached;
    let closed = false;
    const closing = world.credentials.close().then(() => (closed = true));
    await expect(rotate()).rejects.toMatchObject({ kind: 'shutting_down' });
    expect(closed).toBe(false);
    hold.release();
    await rotating;
    await closing;
  });
});

describe('the renewal of certificates', () => {
  it('keeps the key of the CA, ends no session, and proves nothing refused', async () => {
    const { ca } = readStored();
    await world.credentials.renew(INSTANCE);
    expect(readStored().ca).toEqual({ certificate: 'ca certificate 1, renewed 1', key: ca.key });
    expect(readStored().client.certificate).toBe('client certificate 1, renewed 1');
    expect(world.certificates.ended).toEqual([]);
    expect(world.certificateProof.retired).toEqual([undefined]);
  });

  it('shows the credentials from before while it is under way, without waiting', async () => {
    const hold = world.steps.hold('certificates.prove');
    const renewing = world.credentials.renew(INSTANCE);
    await hold.reached;
    expect(await getCa()).toBe('ca certificate 1');
    hold.release();
    await renewing;
    expect(await getCa()).toBe('ca certificate 1, renewed 1');
  });

  it('is not begun any more once the server closes', async () => {
    const before = readStored();
    await world.credentials.close();
    await world.credentials.renew(INSTANCE);
    expect(readStored()).toEqual(before);
    expect(world.steps.taken).not.toContain('certificates.install');
  });

  it('passes by what has no credentials of ours', async () => {
    const id = world.store.add({ imageId: 1, userEmail: ADA.email, status: 'ready' });
    await world.credentials.renew({ id, port: 6001 });
    expect(world.steps.taken).toEqual(['instances.findCredentials']);
  });
});

describe('a server that starts', () => {
  /** Another run of the server finds what this one has left: the new credentials are handed out and served. */
  async function expectFinished(): Promise<void> {
    const next = world.restart();
    await next.recover();
    expect((await next.get(INSTANCE)).ca.certificate).toBe('ca certificate 1, new 1');
    expect(readStored().next).toBeUndefined();
    expect(world.certificates.served.get(ID)?.ca.certificate).toBe('ca certificate 1, new 1');
    expect(world.certificates.ended).toContain(ID);
  }

  it.each(['certificates.install', 'certificates.prove', 'certificates.keep'])(
    'finishes a replacement whose server ended before %s',
    async (step) => {
      const hold = world.steps.hold(step);
      rotate().catch(() => undefined);
      await hold.reached;
      await expectFinished();
    },
  );

  it('finishes a replacement whose server ended before it was written as done', async () => {
    const made = world.steps.hold('certificates.keep');
    rotate().catch(() => undefined);
    await made.reached;
    const done = world.steps.hold('credentials.replace');
    made.release();
    await done.reached;
    await expectFinished();
  });

  it('leaves alone what is as it should be', async () => {
    await world.credentials.recover();
    expect(world.steps.taken).toEqual(['credentials.list']);
  });

  it('goes on with the others when one cannot be finished, and says so', async () => {
    await world.instances.create(ADA, 1, ADDRESS);
    for (const id of [1, 2]) {
      world.steps.failOnce('certificates.keep');
      await rotate(ADA, id).catch(() => undefined);
    }
    world.steps.failOnce('certificates.install');
    await world.credentials.recover();
    expect(world.log.at('error')).toMatchObject([{ fields: { instanceId: 1 } }]);
    const { credentials } = await world.instances.get(ADA, 2, ADDRESS);
    expect(credentials.ca.certificate).toMatch(/^ca certificate 2, new/);
  });
});
