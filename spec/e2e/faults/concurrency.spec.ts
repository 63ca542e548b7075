import fc from 'fast-check';
import { afterEach, describe, expect, inject, it } from 'vitest';
import type { Answer, Instance } from '../support/api.ts';
import { runCommand } from '../support/command.ts';
import { FULL, measureConvergence, recordFaults } from '../support/faults.ts';
import { query } from '../support/instance-client.ts';
import { getInstallation, SERVER_USER } from '../support/installation.ts';
import { ANONYMISE } from '../support/source.ts';
import { upload } from '../support/upload.ts';
import { useServer } from '../support/use-server.ts';
import { waitUntil } from '../support/wait.ts';
import { History } from './support/history.ts';
import { clear } from './support/operations.ts';
import { readSeed } from './support/seed.ts';

const server = useServer();
const SEED = readSeed();

/** What is asked for at once. */
const CREATES = FULL ? 50 : 20;
/** Steps of the history, and how many clients take them. */
const STEPS = FULL ? 200 : 60;
const CLIENTS = 8;

afterEach(clear);

function create(imageId = inject('e2e').imageId): Promise<Answer> {
  const body = { data: { type: 'instances', attributes: { image_id: String(imageId) } } };
  return server.api.send('POST', '/instances', { body });
}

const idOf = ({ json }: Answer): number => Number((json as { data: { id: string } }).data.id);

async function readInstances(answers: readonly Answer[]): Promise<Instance[]> {
  return Promise.all(answers.map((answer) => server.api.getInstance(idOf(answer))));
}

describe('what is asked for at once', () => {
  it('are creations: each has an instance and a port of its own', async ({ task }) => {
    const answers = await Promise.all(Array.from({ length: CREATES }, () => create()));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    const instances = await readInstances(answers);
    expect(new Set(instances.map(({ id }) => id)).size).toBe(CREATES);
    expect(new Set(instances.map(({ port }) => port)).size).toBe(CREATES);
    for (const instance of instances) expect(await query(instance, 'SELECT 1')).toEqual([1]);
    const convergenceMs = await measureConvergence(performance.now());
    recordFaults(task, { group: 'F', tried: CREATES, convergenceMs });
  });

  it('are twenty preparations of one image: it is prepared once', async ({ task }) => {
    const { id } = await server.api.createImage(ANONYMISE);
    await upload(id, inject('e2e').backup);
    const answers = await Promise.all(Array.from({ length: 20 }, () => server.api.finaliseImage(id)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const done = await server.process.waitForLines(
      ({ msg, imageId }) => msg === 'finalised image' && imageId === id,
    );
    expect(done).toHaveLength(1);
    recordFaults(task, { group: 'F', tried: 20, convergenceMs: await measureConvergence(performance.now()) });
  });

  it('is the end of an image below twenty creations: nothing of either is left', async ({ task }) => {
    const { id } = await server.api.createImage(ANONYMISE);
    await upload(id, inject('e2e').backup);
    expect(await server.api.finaliseImage(id)).toMatchObject({ status: 200 });
    const creations = Array.from({ length: 20 }, () => create(id));
    await waitUntil('the first is there', async () => (await server.api.listInstanceIds()).length > 0);
    const destroyed = await server.api.send('DELETE', `/images/${id}`, { as: 'upload' });
    expect(destroyed.status).toBe(204);
    for (const { status } of await Promise.all(creations)) {
      // Made in time and destroyed with the image, or too late.
      expect([201, 404, 409, 422]).toContain(status);
    }
    const convergenceMs = await measureConvergence(performance.now());
    expect(await server.api.listInstanceIds()).toEqual([]);
    recordFaults(task, { group: 'F', tried: 20, convergenceMs });
  });

  it('is the same database by a second server: it does not start, and tells why', async ({ task }) => {
    const { program, dir } = getInstallation();
    const argv = [program, 'server', '--config', `${dir}/config.toml`];
    const { exitCode, stdout, stderr } = await runCommand(argv, { user: SERVER_USER });
    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).toContain('another server');
    expect(await server.api.listImageIds()).toContain(inject('e2e').imageId);
    recordFaults(task, { group: 'F', tried: 1 });
  });
});

/** A step of a client: it makes an instance, or does something with one of those that anybody has made. */
const step = fc.record({
  kind: fc.constantFrom('create', 'create', 'destroy', 'destroy', 'get', 'list'),
  which: fc.nat(1000),
});

describe('many clients that create, look and destroy in any order', () => {
  it(`are told the same story as one after the other would be (seed ${SEED})`, async ({ task }) => {
    const steps = fc.array(step, { minLength: STEPS, maxLength: STEPS });
    const [plan = []] = fc.sample(steps, { seed: SEED, numRuns: 1 });
    const history = new History();
    const next = plan.values();
    const client = async (): Promise<void> => {
      for (const { kind, which } of next) {
        const ids = history.listCreated();
        const id = ids[which % Math.max(1, ids.length)];
        if (kind === 'list') await history.list(() => server.api.send('GET', '/instances'));
        else if (kind === 'create' || id === undefined) await history.create(create);
        else if (kind === 'get') await history.get(id, () => server.api.send('GET', `/instances/${id}`));
        else await history.destroy(id, () => server.api.send('DELETE', `/instances/${id}`));
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    expect(history.findContradictions()).toEqual([]);
    expect(await server.api.listInstanceIds()).toEqual(history.listAlive());
    const convergenceMs = await measureConvergence(performance.now());
    recordFaults(task, { group: 'F', tried: STEPS, convergenceMs, seed: SEED });
  });
});
