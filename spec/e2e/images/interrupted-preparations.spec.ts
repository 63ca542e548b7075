import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { type HostState, readHostState, readQuietState } from '../support/host-state.ts';
import { query } from '../support/instance-client.ts';
import { getInstallation, IMAGE_UID_BASE } from '../support/installation.ts';
import { listProcessesOf } from '../support/processes.ts';
import { ANONYMISE } from '../support/source.ts';
import { removeUploaded, upload } from '../support/upload.ts';
import { useServer } from '../support/use-server.ts';
import { waitUntil } from '../support/wait.ts';

const server = useServer();

/**
 * A file of the upload that makes the script wait, for longer than any test. In a folder whose files no manifest lists, and which
 * the preparation keeps.
 */
const WAIT = { folder: 'pg_wal', name: 'wait' };
const WAITING = `SELECT pg_sleep(600) WHERE (pg_stat_file('${WAIT.folder}/${WAIT.name}', true)).size IS NOT NULL;\n${ANONYMISE}`;
let waitFolder = '';
/** For a preparation on a busy machine, in milliseconds. */
const PREPARATION_MS = 120_000;

beforeAll(async () => {
  waitFolder = join(getInstallation().scratch, 'interrupted', WAIT.folder);
  await mkdir(waitFolder, { recursive: true });
  await writeFile(join(waitFolder, WAIT.name), '');
});

afterEach(async () => {
  if (!server.process.isRunning) await server.start();
});

/** An image whose preparation will not end by itself once it is begun, and the host before. */
async function createWaitingImage(): Promise<{ id: number; before: HostState }> {
  const { id } = await server.api.createImage(WAITING);
  await upload(id, [...inject('e2e').backup, waitFolder]);
  return { id, before: await readQuietState() };
}

async function follow(id: number): Promise<Record<string, unknown>> {
  const path = `/images/${id}?fields[images]=status,progress,failure`;
  const { json } = await server.api.send('GET', path, { as: 'upload' });
  return (json as { data: { attributes: Record<string, unknown> } }).data.attributes;
}

async function waitForScript(id: number): Promise<void> {
  await waitUntil(
    'the script waits',
    async () => {
      const { progress } = await follow(id);
      if ((progress as { step: string } | null)?.step !== 'anonymise') return false;
      const processes = await listProcessesOf(IMAGE_UID_BASE + id);
      return processes.some(({ command }) => /^postgres: .*draupnir-admin.* SELECT$/.test(command));
    },
    PREPARATION_MS,
  );
}

/** After an interruption the upload is as it was and there is nothing else; the next server makes the image ready by itself. */
async function expectTakenUp(id: number, before: HostState): Promise<void> {
  expect(await readQuietState()).toEqual(before);
  await removeUploaded(id, WAIT.folder);
  await server.start();
  await waitUntil('the image is ready', async () => (await follow(id))['status'] === 'ready', PREPARATION_MS);
  expect(await server.api.getImage(id)).toMatchObject({ ready: true });
  const instance = await server.api.createInstance(id);
  expect(await query(instance, 'SELECT email FROM customers WHERE id = 1')).toEqual([
    'customer-1@anonymous.invalid',
  ]);
}

describe('a server that is asked to stop', () => {
  it('while it prepares an image, which cannot be destroyed meanwhile, reports so and exits 0; the next one takes it up again', async () => {
    const empty = await readQuietState();
    const { id, before } = await createWaitingImage();
    const outcome = server.api.finaliseImage(id);
    await waitForScript(id);
    const busy = await server.api.send('DELETE', `/images/${id}`, { as: 'upload' });
    expect(busy).toMatchObject({ status: 409, json: { id: 'image_busy', status: '409' } });

    expect(await server.process.stop()).toBe(0);
    expect(await outcome).toMatchObject({
      status: 503,
      json: {
        id: 'finalise_interrupted',
        status: '503',
        detail: 'the server is stopping; it goes on with the preparation when it is back',
      },
    });
    // Drained: nothing is left to end after the server.
    expect(await readHostState()).toEqual(before);
    await expectTakenUp(id, before);

    // Destroyed, the image takes its instances with it, whoever owns them.
    const instances = [
      await server.api.createInstance(id),
      await server.api.createInstance(id),
      await server.api.createInstance(id, 'upload'),
    ];
    await server.api.destroyImage(id);
    expect(await readHostState()).toEqual(empty);
    const left = [...(await server.api.listInstanceIds()), ...(await server.api.listInstanceIds('upload'))];
    for (const instance of instances) expect(left).not.toContain(instance.id);
    expect(await server.api.listImageIds()).not.toContain(id);
  });
});

describe('a preparation that is begun without waiting', () => {
  it('is followed by its image, joined by who asks again, and survives a server that is killed', async () => {
    const { id, before } = await createWaitingImage();
    const done = { as: 'upload', headers: { prefer: 'respond-async' } } as const;
    const accepted = await server.api.send('POST', `/images/${id}/done`, done);
    expect(accepted.status).toBe(202);
    expect(accepted.headers).toMatchObject({
      location: `/images/${id}`,
      'preference-applied': 'respond-async',
      'content-type': 'application/json',
    });
    expect(await server.api.send('POST', `/images/${id}/done`, done)).toMatchObject({ status: 202 });
    const joined = server.api.finaliseImage(id).catch((error: unknown) => error as Error);
    await waitForScript(id);
    expect(await follow(id)).toEqual({
      status: 'finalising',
      progress: { step: 'anonymise', number: 4, of: 8 },
      failure: null,
    });

    await server.process.kill();
    expect(await joined).toBeInstanceOf(Error);
    await waitUntil('the script ends', async () => (await listProcessesOf(IMAGE_UID_BASE + id)).length === 0);
    await expectTakenUp(id, before);
    expect(await follow(id)).toEqual({ status: 'ready', progress: null, failure: null });
    expect(await server.api.send('POST', `/images/${id}/done`, done)).toMatchObject({ status: 200 });
    await server.api.destroyImage(id);
  });
});
