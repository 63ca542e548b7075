import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { holdLock } from './support/held-lock.ts';
import { type HostState, readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, UID_COUNT } from './support/installation.ts';
import { callScript } from './support/script.ts';
import { useServer } from './support/use-server.ts';

// What the database says does not count here: each script looks for itself before it removes or makes something.
const server = useServer();

const EX_NOINPUT = 66;
const EX_SOFTWARE = 70;
const EX_CANTCREAT = 73;
const EX_CONFIG = 78;
/** No record has it. */
const ID = '9501';

let instance: Instance;
let before: HostState;

beforeAll(async () => {
  instance = await server.api.createInstance(inject('e2e').imageId);
  before = await readHostState();
});

afterAll(async () => {
  expect(await readHostState()).toEqual(before);
  expect(await query(instance, 'SELECT count(*) > 0 FROM customers')).toEqual([true]);
});

async function expectRefusal(
  name: string,
  id: string | number,
  exitCode: number,
  reason: string,
): Promise<void> {
  expect(await callScript(name, [String(id)], 'keep\n')).toEqual({
    exitCode,
    stdout: '',
    stderr: `${name}: ${reason}\n`,
  });
}

describe('draupnir-tidy-instance', () => {
  it('refuses an instance that has data', () =>
    expectRefusal('draupnir-tidy-instance', instance.id, EX_CANTCREAT, `instance ${instance.id} has data`));

  it('refuses, and keeps, a configuration that is not empty', async () => {
    const folder = join(getInstallation().data, 'instance_config', ID);
    await mkdir(folder);
    await writeFile(join(folder, 'server.key'), 'a key');
    await expectRefusal('draupnir-tidy-instance', ID, EX_CANTCREAT, `${folder} is not empty`);
    expect(await readdir(folder)).toEqual(['server.key']);
    await rm(folder, { recursive: true });
  });
});

describe.each(['instance', 'image'])('draupnir-tidy-%s', (kind) => {
  it('disturbs no script at work', async () => {
    const release = await holdLock(`${kind}-${ID}`);
    const reason = `another operation on ${kind}-${ID} is running`;
    await expectRefusal(`draupnir-tidy-${kind}`, ID, EX_SOFTWARE, reason);
    await release();
  });
});

describe('draupnir-create-image', () => {
  it('refuses an id whose snapshot exists', async () => {
    const { imageId } = inject('e2e');
    const reason = `${getInstallation().data} holds an image ${imageId} that the database did not know`;
    await expectRefusal('draupnir-create-image', imageId, EX_CANTCREAT, reason);
  });

  it('refuses an id for which there is no user', async () => {
    const reason = `host.conf: id ${UID_COUNT} is not below UID_COUNT=${UID_COUNT}`;
    await expectRefusal('draupnir-create-image', UID_COUNT, EX_CONFIG, reason);
  });
});

describe('draupnir-read-credentials', () => {
  it('refuses an instance that Draupnir 5.3 has not made', async () => {
    const reason = `instance ${instance.id} is not one of Draupnir 5.3`;
    await expectRefusal('draupnir-read-credentials', instance.id, EX_NOINPUT, reason);
  });
});
