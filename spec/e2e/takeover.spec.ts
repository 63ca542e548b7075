import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Api } from './support/api.ts';
import { type Diagnosis, runDoctor, summarise } from './support/doctor.ts';
import { readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { getOriginalDirectory, makeOriginalData, ORIGINAL, ORIGINAL_SQL } from './support/original.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';

const DATABASE = 'original';
/**
 * The database of the original's clusters. They admit IPv4 alone, and `localhost` may be ::1 first; a certificate without alternative
 * names proves the chain alone.
 */
const ACCESS = { host: '127.0.0.1', database: 'postgres', tls: { checkServerIdentity: () => undefined } };

let server: Server;
let api: Api;

beforeAll(async () => {
  const installation = getInstallation();
  await queryMetadata(`CREATE DATABASE ${DATABASE}`, 'postgres');
  await queryMetadata(ORIGINAL_SQL, DATABASE);
  await makeOriginalData(installation);
  const config = await writeServerConfig(installation, 'original.toml', { database: DATABASE });
  server = await Server.start(installation, config);
  api = new Api(installation);
});

afterAll(async () => {
  for (const id of await api.listInstanceIds()) await api.destroyInstance(id);
  for (const id of await api.listImageIds()) await api.destroyImage(id);
  expect(await server.stop()).toBe(0);
  await queryMetadata(`DROP DATABASE ${DATABASE}`, 'postgres');
});

describe('an installation of Draupnir 5.3 that is taken over', () => {
  it('keeps its images, with ids and times', async () => {
    const answer = await api.send('GET', '/images');
    const times = { created_at: '2017-05-01T13:00:00Z', updated_at: '2017-05-01T14:00:00Z' };
    expect(answer.json).toMatchObject({
      data: [
        {
          id: String(ORIGINAL.readyImage),
          attributes: { ready: true, backed_up_at: '2017-05-01T12:00:00Z', ...times },
        },
        { id: String(ORIGINAL.pendingImage), attributes: { ready: false } },
      ],
    });
  });

  it('keeps its instances, with their ports', async () => {
    const answer = await api.send('GET', '/instances');
    expect(answer.json).toMatchObject({
      data: [
        { id: String(ORIGINAL.instance), attributes: { image_id: ORIGINAL.readyImage, port: ORIGINAL.port } },
        { id: String(ORIGINAL.bystander), attributes: { port: ORIGINAL.bystanderPort } },
      ],
    });
  });

  it('is as it should be: doctor measures by what 5.3 made', async () => {
    const { stdout } = await runDoctor(['--json'], { config: 'original.toml' });
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    // Nobody has made a place for that upload here, and the image of the other tests has its record in their database.
    const { imageId } = inject('e2e');
    const { pendingImage } = ORIGINAL;
    expect(summarise(diagnosis)).toEqual([
      `I2 image ${pendingImage}: is pending, but subvolume image_uploads/${pendingImage} is missing`,
      `I2 image ${imageId}: subvolume image_snapshots/${imageId} has no record`,
    ]);
    expect(diagnosis.checked).toMatchObject({ I1: 2, I4: 4, I6: 1 });
  });

  it('leaves the table of the other migration tool as it was', async () => {
    const rows = await queryMetadata('SELECT id FROM gorp_migrations', DATABASE);
    expect(rows).toBe('01_create_images.sql');
  });

  it('hands out the credentials that are in the data directory, and they admit', async () => {
    const instance = await api.getInstance(ORIGINAL.instance);
    const dir = getOriginalDirectory(getInstallation(), ORIGINAL.instance);
    const [ca, cert, key] = await Promise.all(
      ['ca.crt', 'client.crt', 'client.key'].map((name) => readFile(join(dir, name), 'utf8')),
    );
    expect(instance.credentials).toEqual({ ca, cert, key });
    expect(await query(instance, 'SELECT answer FROM answers', ACCESS)).toEqual([42]);
  });

  it('makes new instances of its images', async () => {
    const created = await api.createInstance(ORIGINAL.readyImage);
    expect(created.id).toBeGreaterThan(7500);
    expect(await query(created, 'SELECT answer FROM answers', { database: 'postgres' })).toEqual([42]);
    await query(created, 'UPDATE answers SET answer = 43', { database: 'postgres' });
    const old = await api.getInstance(ORIGINAL.instance);
    expect(await query(old, 'SELECT answer FROM answers', ACCESS)).toEqual([42]);
    await api.destroyInstance(created.id);
  });

  it('loses an instance that is destroyed, and no other', async () => {
    await api.destroyInstance(ORIGINAL.instance);
    expect(await api.listInstanceIds()).toEqual([ORIGINAL.bystander]);
    const { subvolumes, ports } = await readHostState();
    expect(subvolumes).not.toContain(`instances/${ORIGINAL.instance}`);
    expect(ports).not.toContain(ORIGINAL.port);
    const bystander = await api.getInstance(ORIGINAL.bystander);
    expect(await query(bystander, 'SELECT answer FROM answers', ACCESS)).toEqual([42]);
  });

  it('loses an image together with its instances', async () => {
    await api.destroyImage(ORIGINAL.readyImage);
    expect(await api.listInstanceIds()).toEqual([]);
    const { subvolumes, ports } = await readHostState();
    expect(subvolumes.filter((path) => path.includes('/70') || path.includes('/71'))).toEqual([]);
    expect(ports).not.toContain(ORIGINAL.bystanderPort);
  });
});
