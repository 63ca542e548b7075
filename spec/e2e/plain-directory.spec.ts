import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Api } from './support/api.ts';
import { run, runCommand } from './support/command.ts';
import { type Diagnosis, runDoctor, summarise } from './support/doctor.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, SERVER_USER, SUDOERS } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';

const DATABASE = 'plain';
const CONFIG = 'plain.toml';
const FOLDERS = ['image_uploads', 'image_snapshots', 'instances'];
const EX_CONFIG = 78;

/** Draupnir 5.3 took any directory on btrfs: here one below the volume of the tests. */
let data = '';
let scripts = '';
let rules = '';
let server: Server;
let api: Api;

beforeAll(async () => {
  const installation = getInstallation();
  data = join(installation.data, 'plain');
  scripts = join(installation.scratch, 'plain-scripts');
  await mkdir(data);
  await cp(installation.scripts, scripts, { recursive: true });
  await rewrite(join(scripts, 'host.conf'), (text) => text.replace(/^DATA_PATH=.*$/m, `DATA_PATH=${data}`));
  // The rules go with the installation.
  rules = await readFile(SUDOERS, 'utf8');
  await writeFile(SUDOERS, rules + rules.replaceAll(installation.scripts, scripts));
  await queryMetadata(`CREATE DATABASE ${DATABASE}`, 'postgres');
  const config = await writeServerConfig(installation, CONFIG, { database: DATABASE });
  await rewrite(config, (text) =>
    text.replaceAll(installation.scripts, scripts).replace(/^data_path = .*$/m, `data_path = "${data}"`),
  );
  server = await Server.start(installation, config);
  api = new Api(installation);
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await queryMetadata(`DROP DATABASE ${DATABASE}`, 'postgres');
  await writeFile(SUDOERS, rules);
  await run(['rm', '-r', '--one-file-system', data]);
});

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')));
}

describe('a data directory that is no subvolume', () => {
  it('is not written to while it is empty, like a mount point without its volume: /ready says why', async () => {
    const reason = `is neither a btrfs subvolume nor a directory with the folders ${FOLDERS.join(', ')}`;
    expect(await api.send('GET', '/ready')).toMatchObject({
      status: 503,
      json: { parts: { data_path: { detail: expect.stringContaining(reason) as string } } },
    });
    for (const [name, ...args] of [
      ['draupnir-create-image', '1'],
      ['draupnir-create-instance', '1', '1', '6000'],
    ] as const) {
      const script = await runCommand([join(scripts, name), ...args], { input: 'keep\n' });
      expect(script).toMatchObject({ exitCode: EX_CONFIG, stdout: '' });
      expect(script.stderr).toContain(`${name}: ${data} is neither a btrfs subvolume nor a directory`);
      expect(script.stderr).toContain('is the volume mounted?');
    }
    expect(await readdir(data)).toEqual([]);
  });

  it('holds images and instances once it has the folders', async () => {
    const { imageId } = inject('e2e');
    await run(['install', '-d', '-o', SERVER_USER, ...FOLDERS.map((name) => join(data, name))]);
    // A ready image costs a finalisation: the one of the other tests does as well.
    const snapshot = `image_snapshots/${imageId}`;
    const source = join(getInstallation().data, snapshot);
    await run(['btrfs', '-q', 'subvolume', 'snapshot', '-r', source, join(data, snapshot)]);
    await queryMetadata(
      `INSERT INTO images (id, backed_up_at, created_at, updated_at, ready, status)
       VALUES (${imageId}, now(), now(), now(), true, 'ready'); SELECT setval('images_id_seq', ${imageId})`,
      DATABASE,
    );
    expect(await api.send('GET', '/ready')).toMatchObject({ status: 200 });
    const { id } = await api.createImage('SELECT 1');
    const created = await api.createInstance(imageId);
    expect(await query(created, 'SELECT count(*) > 0 FROM customers')).toEqual([true]);
    expect(await readdir(join(data, 'image_uploads'))).toEqual([String(id)]);
  });

  it('is as it should be: doctor looks at what is in there, and at nothing beside it', async () => {
    const { stdout } = await runDoctor(['--json'], { config: CONFIG });
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    // Its numbers are those of the installation of all tests.
    const findings = diagnosis.findings.filter(({ invariant }) => invariant !== 'I14');
    expect(summarise({ findings })).toEqual([]);
    expect(diagnosis.checked).toMatchObject({ I1: 1, I2: 3, I6: 1 });
  });

  it('loses what is destroyed', async () => {
    for (const id of await api.listInstanceIds()) await api.destroyInstance(id);
    for (const id of await api.listImageIds()) await api.destroyImage(id);
    const left = await Promise.all(FOLDERS.map((name) => readdir(join(data, name))));
    expect(left.flat()).toEqual([]);
  });
});
