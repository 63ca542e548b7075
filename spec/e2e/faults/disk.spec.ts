import type pg from 'pg';
import { afterEach, describe, expect, inject, it } from 'vitest';
import type { Answer, Instance } from '../support/api.ts';
import { run, runCommand } from '../support/command.ts';
import { diagnose, summarise } from '../support/doctor.ts';
import { CONVERGENCE_LIMIT_MS, FULL, measureConvergence, recordFaults } from '../support/faults.ts';
import { Filler, getFreeMib, getUsedMib } from '../support/filler.ts';
import { connect, query } from '../support/instance-client.ts';
import { getInstallation, INSTANCE_UID_BASE } from '../support/installation.ts';
import { listProcessesOf, signal } from '../support/processes.ts';
import { ANONYMISE } from '../support/source.ts';
import { upload } from '../support/upload.ts';
import { useServer } from '../support/use-server.ts';
import { waitUntil } from '../support/wait.ts';

// Group B of the fault matrix: the data volume has no room, or cannot be written to.

/** With 0 the server begins whatever it is asked for, and meets the end of the volume in the middle of it. */
let floor: '0MiB' | '1GiB' = '1GiB';
const server = useServer(
  () => ({ network: `block_instance_egress = false\nmin_free_space = "${floor}"` }),
  // What could not be put in order on a volume that was read-only.
  ({ err }) => /read-only/.test((err as { message?: string } | undefined)?.message ?? ''),
);
const filler = new Filler();

afterEach(async () => {
  await run(['mount', '-o', 'remount,rw', getInstallation().data]);
  await filler.release();
});

async function setFloor(value: typeof floor): Promise<void> {
  if (floor === value) return;
  floor = value;
  expect(await server.process.stop()).toBe(0);
  await server.start();
}

const createInstance = (): Promise<Instance> => server.api.createInstance(inject('e2e').imageId);

const requestInstance = (): Promise<Answer> =>
  server.api.send('POST', '/instances', {
    body: { data: { type: 'instances', attributes: { image_id: inject('e2e').imageId } } },
  });

const requestImage = (): Promise<Answer> =>
  server.api.send('POST', '/images', {
    as: 'upload',
    body: {
      data: {
        type: 'images',
        attributes: { backed_up_at: '2026-05-01T12:00:00Z', anonymisation_script: '' },
      },
    },
  });

const requestDestruction = (path: string): Promise<Answer> =>
  server.api.send('DELETE', path, { as: 'upload' });

/** Ends all processes of an instance. */
async function kill(id: number): Promise<void> {
  for (const { pid } of await listProcessesOf(INSTANCE_UID_BASE + id)) signal(pid, 'SIGKILL');
}

async function readState({ id }: Instance): Promise<{ status: string; failure: string | null }> {
  const { json } = await server.api.send('GET', `/instances/${id}?fields[instances]=status,failure`);
  return (json as { data: { attributes: { status: string; failure: string | null } } }).data.attributes;
}

/** What has nothing to do with the volume is answered as ever. */
async function expectOthersAnswered(): Promise<void> {
  for (const path of ['/health_check', '/images', '/instances', `/images/${inject('e2e').imageId}`]) {
    expect(await server.api.send('GET', path)).toMatchObject({ status: 200 });
  }
  expect(server.process.isRunning).toBe(true);
}

/** Waits until a new instance can be made again, after the fault has been mended; resolves to how long that took. */
async function waitForRoom(since: number): Promise<number> {
  const id = await waitUntil('an instance can be made', async () => {
    const answer = await requestInstance();
    expect([201, 503, 507]).toContain(answer.status);
    return answer.status === 201 && Number((answer.json as { data: { id: string } }).data.id);
  });
  await server.api.destroyInstance(id);
  return measureConvergence(since);
}

const answers = (instance: Instance): Promise<unknown[] | undefined> =>
  query(instance, 'SELECT 1', { timeoutMs: 500 }).catch(() => undefined);

const INSUFFICIENT = { status: 507, json: { id: 'insufficient_disk', status: '507' } };
const MISSING =
  /^the volume (lacks [0-9.]+ (MiB|GiB)|is full): destroy images or instances that nobody needs$/;

function expectInsufficient(answer: Answer): void {
  expect(answer).toMatchObject(INSUFFICIENT);
  expect((answer.json as { detail: string }).detail).toMatch(MISSING);
}

describe('a volume with less room than min_free_space', () => {
  it('takes no new work and says how much is missing, serves what is there, and takes work when there is room', async ({
    task,
  }) => {
    await setFloor('1GiB');
    const instance = await createInstance();
    const { id } = await server.api.createImage(ANONYMISE);
    await upload(id, inject('e2e').backup);
    await filler.fill(600);
    const missing = Math.ceil(1024 - (await getFreeMib()));
    for (const answer of [
      await requestInstance(),
      await requestImage(),
      await server.api.finaliseImage(id),
    ]) {
      expectInsufficient(answer);
      const [, lacks] = /lacks ([0-9]+) MiB/.exec(answer.text) ?? [];
      expect(Math.abs(Number(lacks) - missing)).toBeLessThan(64);
    }
    await expectOthersAnswered();
    await query(instance, 'CREATE TABLE kept AS SELECT 1 AS id');
    expect(summarise(await diagnose())).toEqual([
      expect.stringMatching(/^installation mount .*: has less than 1024 MiB free$/),
    ]);
    expect(await requestDestruction(`/images/${id}`)).toMatchObject({ status: 204 });
    await filler.release();
    const convergenceMs = await waitForRoom(performance.now());
    recordFaults(task, { group: 'B', tried: 3, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    expect(await query(instance, 'SELECT id FROM kept')).toEqual([1]);
    await server.api.destroyInstance(instance.id);
  });
});

/** A table of that many MiB, which Postgres does not compress. */
async function fillTable(instance: Instance, mib: number): Promise<void> {
  const client = await connect(instance);
  await client.query('CREATE TABLE junk (text text)');
  await client.query('ALTER TABLE junk ALTER text SET STORAGE EXTERNAL');
  await client.query(`INSERT INTO junk SELECT repeat('x', 1024 * 1024) FROM generate_series(1, ${mib})`);
  await client.end();
}

/** Writes until it cannot any more; resolves to the SQLSTATE, or to how the connection ended. */
async function writeWithoutEnd(client: pg.Client): Promise<string> {
  try {
    await client.query('CREATE TABLE junk (text text)');
    await client.query('ALTER TABLE junk ALTER text SET STORAGE EXTERNAL');
    for (;;)
      await client.query(`INSERT INTO junk SELECT repeat(md5(i::text), 250) FROM generate_series(1, 500) i`);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'cut';
  } finally {
    await client.end().catch(() => undefined);
  }
}

describe('a volume that is full', () => {
  it('harms neither the server nor instances that write: they go on as soon as there is room', async ({
    task,
  }) => {
    await setFloor('0MiB');
    const instances = [await createInstance(), await createInstance()];
    for (const instance of instances) await query(instance, 'CREATE TABLE kept AS SELECT 1 AS id');
    await filler.fill(256);
    const writing = instances.map(async (instance) => writeWithoutEnd(await connect(instance)));
    const ends = await Promise.all(writing);
    // disk_full, or Postgres has ended because it could not write its log.
    for (const end of ends) expect(end).toMatch(/^(53100|57P0[1-3]|08.*|cut|ECONNRESET)$/);
    expect(await getFreeMib()).toBeLessThan(64);
    await filler.fill(0);
    await expectOthersAnswered();
    // The server tries to start whoever has ended, in vain, and says why.
    for (const { id } of instances) await kill(id);
    const [broken] = await waitUntil('they are told to be stopped, or run', async () => {
      const states = await Promise.all(instances.map(readState));
      const settled = states.every(({ status }) => status === 'stopped' || status === 'ready');
      return settled && states;
    });
    if (broken?.status === 'stopped') expect(broken.failure).toMatch(/volume is full|No space left/);
    // What can be made without data of its own may be made.
    const made = await requestInstance();
    if (made.status !== 201) expectInsufficient(made);
    await filler.release();
    const since = performance.now();
    for (const instance of instances) await waitUntil('it answers', () => answers(instance));
    const convergenceMs = Math.max(performance.now() - since, await waitForRoom(since));
    recordFaults(task, { group: 'B', tried: 4, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    for (const instance of instances) {
      expect(await query(instance, 'SELECT id FROM kept')).toEqual([1]);
      await server.api.destroyInstance(instance.id);
    }
    for (const id of await server.api.listInstanceIds()) await server.api.destroyInstance(id);
  });

  it('to its last name takes nothing new, and gives back what is destroyed', async ({ task }) => {
    await setFloor('0MiB');
    const [kept, destroyed] = [await createInstance(), await createInstance()];
    await fillTable(destroyed, 100);
    const image = await server.api.createImage(ANONYMISE);
    await upload(image.id, inject('e2e').backup);
    await run(['btrfs', 'filesystem', 'sync', getInstallation().data]);
    await filler.fill(0);
    await filler.fillMetadata();
    await expectOthersAnswered();
    let tried = 0;
    for (let round = 0; round < (FULL ? 5 : 3); round++) {
      const made = await requestInstance();
      tried++;
      if (made.status === 201) continue;
      expectInsufficient(made);
      expectInsufficient(await server.api.finaliseImage(image.id));
      const rotated = await server.api.send('POST', `/instances/${kept.id}/credentials`);
      tried += 2;
      if (rotated.status !== 201) expectInsufficient(rotated);
    }
    const { json } = await server.api.send('GET', `/images/${image.id}?fields[images]=status,failure`);
    expect(json).toMatchObject({
      data: { attributes: { status: 'failed', failure: expect.stringMatching(MISSING) as string } },
    });
    const used = await getUsedMib();
    const since = performance.now();
    expect(await requestDestruction(`/instances/${destroyed.id}`)).toMatchObject({ status: 204 });
    expect(await requestDestruction(`/images/${image.id}`)).toMatchObject({ status: 204 });
    await waitUntil('there is room', async () => (await getUsedMib()) < used - 50);
    const freedMs = performance.now() - since;
    await filler.release();
    const convergenceMs = Math.max(freedMs, await waitForRoom(performance.now()));
    recordFaults(task, { group: 'B', tried: tried + 2, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    const again = await server.api.getInstance(kept.id);
    expect(await query(again, 'SELECT 1')).toEqual([1]);
    for (const id of await server.api.listInstanceIds()) await server.api.destroyInstance(id);
  });

  const STEPS = FULL ? ['unpack', 'recover', 'anonymise', 'scrub'] : ['anonymise'];

  it.for(STEPS)(
    'in the middle of a preparation, from step %s on, fails it for that reason, and it can be asked again',
    async (step, { task }) => {
      await setFloor('0MiB');
      // Written by the script where it fails for certain, and gone before its end.
      const { id } = await server.api.createImage(
        `\\c shop\nCREATE TABLE junk AS SELECT repeat(md5(i::text), 250) FROM generate_series(1, 40000) i;\nDROP TABLE junk;\n${ANONYMISE}`,
      );
      await upload(id, inject('e2e').backup);
      const path = `/images/${id}?fields[images]=status,progress,failure`;
      const follow = async () => {
        const { json } = await server.api.send('GET', path, { as: 'upload' });
        return (
          json as {
            data: {
              attributes: { status: string; failure: string | null; progress: { step: string } | null };
            };
          }
        ).data.attributes;
      };
      const outcome = server.api.finaliseImage(id);
      await waitUntil(`step ${step}`, async () => (await follow()).progress?.step === step);
      await filler.fill(0);
      const answer = await outcome;
      expectInsufficient(answer);
      expect(await follow()).toMatchObject({
        status: 'failed',
        failure: expect.stringMatching(MISSING) as string,
      });
      await filler.release();
      const convergenceMs = await waitForRoom(performance.now());
      recordFaults(task, { group: 'B', tried: 1, convergenceMs, orphans: 0, stuck: 0 });
      expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
      expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
      await server.api.destroyImage(id);
    },
  );
});

describe('a volume that is read-only', () => {
  it('is told of by the server, which stays up and goes on when it can be written to again', async ({
    task,
  }) => {
    await setFloor('0MiB');
    const { data } = getInstallation();
    const instance = await createInstance();
    await query(instance, 'CREATE TABLE kept AS SELECT 1 AS id');
    const image = await server.api.createImage('');
    // As long as anybody has a file open for writing it stays writable: Postgres ends when it cannot write (mount(2), EBUSY).
    await waitUntil('it is read-only', async () => {
      for (const id of await server.api.listInstanceIds()) await kill(id);
      return (await runCommand(['mount', '-o', 'remount,ro', data])).exitCode === 0;
    });
    await expectOthersAnswered();
    const ready = await server.api.send('GET', '/ready');
    expect(ready).toMatchObject({
      status: 503,
      json: {
        parts: { data_path: { status: 'failing', detail: expect.stringMatching(/read-only/) as string } },
      },
    });
    const requests = [
      requestInstance,
      requestImage,
      () => server.api.finaliseImage(image.id),
      () => server.api.send('POST', `/instances/${instance.id}/credentials`),
      () => requestDestruction(`/instances/${instance.id}`),
      () => requestDestruction(`/images/${image.id}`),
    ];
    for (const request of requests) {
      const answer = await request();
      expect(answer).toMatchObject({ status: 503, json: { id: 'storage_unavailable' } });
      expect(answer.headers['retry-after']).toBeDefined();
    }
    expect(summarise(await diagnose())).toContainEqual(
      expect.stringMatching(/^installation mount .*: is read-only$/),
    );
    await run(['mount', '-o', 'remount,rw', data]);
    const convergenceMs = await waitForRoom(performance.now());
    recordFaults(task, { group: 'B', tried: requests.length, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    expect(await server.api.send('GET', '/ready')).toMatchObject({ status: 200 });
  });
});
