import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Api } from './support/api.ts';
import { run, runCommand } from './support/command.ts';
import { type Diagnosis, runDoctor, summarise } from './support/doctor.ts';
import { readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, SERVER_USER, UPLOAD_USER } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { getUploadDirectory } from './support/original-images.ts';
import { getOriginalDirectory } from './support/original-instances.ts';
import { formatOriginalSql, makeOriginalData, ORIGINAL } from './support/original.ts';
import { callScript } from './support/script.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';
import { upload } from './support/upload.ts';

const DATABASE = 'original';
const CONFIG = 'original.toml';
/**
 * The database of the original's clusters. They admit IPv4 alone, and `localhost` may be ::1 first; a certificate
 * without alternative names proves the chain alone.
 */
const ACCESS = { host: '127.0.0.1', database: 'postgres', tls: { checkServerIdentity: () => undefined } };
const { readyImage, pendingImage, rawImage, displaced, instance, bystander, port, bystanderPort } = ORIGINAL;

let server: Server;
let api: Api;

beforeAll(async () => {
  const installation = getInstallation();
  await queryMetadata(`CREATE DATABASE ${DATABASE}`, 'postgres');
  await queryMetadata(formatOriginalSql(inject('e2e').imageId), DATABASE);
  await makeOriginalData(installation);
  const config = await writeServerConfig(installation, CONFIG, { database: DATABASE });
  server = await Server.start(installation, config);
  api = new Api(installation);
});

afterAll(async () => {
  for (const id of await api.listInstanceIds()) await api.destroyInstance(id);
  for (const id of await api.listImageIds()) if (id !== inject('e2e').imageId) await api.destroyImage(id);
  expect(await server.stop()).toBe(0);
  const failures = (await server.readLog()).filter(({ level }) => level === 'error' || level === 'fatal');
  expect(failures).toEqual([]);
  await queryMetadata(`DROP DATABASE ${DATABASE}`, 'postgres');
});

/** Whether the Postgres on the raw data of an image takes connections without a password. */
async function isRawOpen(): Promise<boolean> {
  const connection = ['-h', '127.0.0.1', '-p', String(ORIGINAL.rawPort), '-U', 'postgres', '-d', 'postgres'];
  return (await runCommand(['psql', '-X', ...connection, '-c', 'SELECT answer FROM answers'])).exitCode === 0;
}

async function getOwners(paths: readonly string[]): Promise<string[]> {
  return (await run(['stat', '-c', '%U %a', ...paths])).trim().split('\n');
}

describe('an installation of Draupnir 5.3 that is taken over', () => {
  it('keeps its images, with ids and times', async () => {
    const answer = await api.send('GET', '/images');
    const times = { created_at: '2017-05-01T13:00:00Z', updated_at: '2017-05-01T14:00:00Z' };
    expect(answer.json).toMatchObject({
      data: [
        { id: String(inject('e2e').imageId) },
        {
          id: String(readyImage),
          attributes: { ready: true, backed_up_at: '2017-05-01T12:00:00Z', ...times },
        },
        { id: String(pendingImage), attributes: { ready: false } },
        { id: String(rawImage), attributes: { ready: false } },
      ],
    });
  });

  it('keeps its instances, with their ports, even where two have the same', async () => {
    const answer = await api.send('GET', '/instances');
    expect(answer.json).toMatchObject({
      data: [
        { id: String(displaced), attributes: { image_id: readyImage, port } },
        { id: String(instance), attributes: { image_id: readyImage, port } },
        { id: String(bystander), attributes: { port: bystanderPort } },
      ],
    });
  });

  it('serves the instance that answers on a shared port, and logs the id of the other', async () => {
    const [line] = await server.waitForLines(({ msg }) => msg === 'port belongs to another instance');
    expect(line).toMatchObject({ level: 'warn', instanceId: displaced, port, holder: instance });
    const answer = await api.send('GET', '/instances?fields[instances]=status,failure');
    const attributes = { status: 'failed', failure: expect.stringContaining(String(instance)) as string };
    expect(answer.json).toMatchObject({
      data: [
        { id: String(displaced), attributes },
        { id: String(instance), attributes: { status: 'ready' } },
        { id: String(bystander), attributes: { status: 'ready' } },
      ],
    });
  });

  it('is as it should be but for what 5.3 left wrong: doctor measures by what 5.3 made', async () => {
    const { stdout } = await runDoctor(['--json'], { config: CONFIG });
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    expect(summarise(diagnosis)).toEqual([
      `I4 instance ${displaced}: its port ${port} belongs to instance ${instance}`,
      `I7 image ${rawImage}: a Postgres of Draupnir 5.3 runs on its upload, which is not anonymised`,
    ]);
    expect(diagnosis.checked).toMatchObject({ I1: 2, I4: 4, I6: 2 });
  });

  it('leaves the table of the other migration tool as it was', async () => {
    const rows = await queryMetadata('SELECT id FROM gorp_migrations', DATABASE);
    expect(rows).toBe('01_create_images.sql');
  });

  it('has folders in which root alone makes entries', async () => {
    const { data } = getInstallation();
    const folders = ['image_uploads', 'image_snapshots', 'instances'].map((name) => join(data, name));
    expect(await getOwners(folders)).toEqual(['root 750', 'root 700', 'root 711']);
  });

  it('hands out the credentials that are in the data directory, and they admit', async () => {
    const found = await api.getInstance(instance);
    const dir = getOriginalDirectory(getInstallation(), instance);
    const [ca, cert, key] = await Promise.all(
      ['ca.crt', 'client.crt', 'client.key'].map((name) => readFile(join(dir, name), 'utf8')),
    );
    expect(found.credentials).toEqual({ ca, cert, key });
    expect(await query(found, 'SELECT answer FROM answers', ACCESS)).toEqual([42]);
  });

  it.each([
    ['a link', ['ln', '-s', '/etc/hostname']],
    ['a pipe', ['mkfifo']],
  ])('hands out nothing through %s that an instance puts in the place of its key', async (_what, make) => {
    const key = join(getOriginalDirectory(getInstallation(), bystander), 'client.key');
    await rename(key, `${key}.kept`);
    await run([...make, key]);
    await run(['chown', '-h', SERVER_USER, key]);
    const outcome = await callScript('draupnir-read-credentials', [String(bystander)]);
    const [, , text] = outcome.stdout.split('\f');
    expect(text ?? '').toBe('');
    await rename(`${key}.kept`, key);
  });

  it('makes new instances of its images', async () => {
    const created = await api.createInstance(readyImage);
    expect(created.id).toBeGreaterThan(7500);
    expect(await query(created, 'SELECT answer FROM answers', { database: 'postgres' })).toEqual([42]);
    // The image has the configuration, certificates and keys of 5.3.
    const isOld = (name: string): boolean => /\.(?:conf|crt|key|csr|srl|signal)$/.test(name);
    const { data } = getInstallation();
    expect((await readdir(join(data, 'image_snapshots', String(readyImage)))).filter(isOld)).not.toEqual([]);
    expect((await readdir(join(data, 'instances', String(created.id)))).filter(isOld)).toEqual([]);
    await query(created, 'UPDATE answers SET answer = 43', { database: 'postgres' });
    const old = await api.getInstance(instance);
    expect(await query(old, 'SELECT answer FROM answers', ACCESS)).toEqual([42]);
    await api.destroyInstance(created.id);
  });

  it('loses the instance whose port another one has, and not that one', async () => {
    await api.destroyInstance(displaced);
    expect(await api.listInstanceIds()).toEqual([instance, bystander]);
    const found = await api.getInstance(instance);
    expect(await query(found, 'SELECT answer FROM answers', ACCESS)).toEqual([42]);
    const { subvolumes } = await readHostState();
    expect(subvolumes).not.toContain(`instances/${displaced}`);
  });

  it('takes the rest of an upload that was cut short, and files of the same name', async () => {
    await upload(pendingImage, inject('e2e').backup);
    const dir = getUploadDirectory(getInstallation(), pendingImage);
    expect(await getOwners([dir, join(dir, 'base.tar.gz')])).toEqual([
      `${UPLOAD_USER} 775`,
      `${UPLOAD_USER} 644`,
    ]);
  });

  it('has no Postgres on raw data after doctor --fix, and its upload can be finalised', async () => {
    expect(await isRawOpen()).toBe(true);
    const { stdout } = await runDoctor(['--json', '--fix'], { config: CONFIG });
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      findings: [{ object: `image ${rawImage}`, fixed: true }],
    });
    expect(await isRawOpen()).toBe(false);
    expect(await getOwners([getUploadDirectory(getInstallation(), rawImage)])).toEqual([
      `${UPLOAD_USER} 775`,
    ]);
    expect(await api.finaliseImage(rawImage)).toMatchObject({ status: 200 });
  });

  it('loses an instance that is destroyed, and no other', async () => {
    await api.destroyInstance(instance);
    expect(await api.listInstanceIds()).toEqual([bystander]);
    const { subvolumes, ports } = await readHostState();
    expect(subvolumes).not.toContain(`instances/${instance}`);
    expect(ports).not.toContain(port);
    const left = await api.getInstance(bystander);
    expect(await query(left, 'SELECT answer FROM answers', ACCESS)).toEqual([42]);
  });

  it('loses an image together with its instances', async () => {
    await api.destroyImage(readyImage);
    expect(await api.listInstanceIds()).toEqual([]);
    const { subvolumes, ports } = await readHostState();
    expect(subvolumes.filter((path) => path.includes(`/${readyImage}`) || path.includes('/71'))).toEqual([]);
    expect(ports).not.toContain(bystanderPort);
  });
});
