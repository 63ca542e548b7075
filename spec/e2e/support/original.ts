import { join } from 'node:path';
import { run } from './command.ts';
import { INSTANCE_PORTS, type Installation, LEGACY_USER, SERVER_USER } from './installation.ts';
import {
  createOriginalUpload,
  finaliseOriginalImage,
  makeOriginalCluster,
  removeOriginalCluster,
  startOriginalImage,
  unpackOriginalImage,
} from './original-images.ts';
import { makeOriginalInstance } from './original-instances.ts';

/** What Draupnir 5.3 has left, as ids; they are far from those of other tests. */
export const ORIGINAL = {
  readyImage: 7001,
  /** Its upload has begun. */
  pendingImage: 7002,
  /** Its finalisation was cut short: the Postgres on its raw upload still runs. */
  rawImage: 7003,
  /** Lost the race for the port of `instance`: everything was made, but its Postgres could not start. */
  displaced: 7100,
  instance: 7101,
  bystander: 7102,
  port: INSTANCE_PORTS.max - 1,
  bystanderPort: INSTANCE_PORTS.max - 2,
  /** Outside the range of instances; the original took 5432 + id. Slots of the tests are 200 apart. */
  rawPort: INSTANCE_PORTS.max + 50,
} as const;

/** The owner of the instances, as Google spelt it. */
export const OWNER = 'integration-test@example.com';

/**
 * Tables and rows of the internal database in the original's final shape (contract: server configuration).
 * The image of the other tests, which is on the volume too, has a record.
 */
export const formatOriginalSql = (sharedImage: number): string => `
CREATE TABLE images (id serial PRIMARY KEY, backed_up_at timestamptz NOT NULL, ready boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, anon text);
CREATE TABLE instances (id serial PRIMARY KEY, image_id int NOT NULL REFERENCES images (id), created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL, port int NOT NULL, user_email text, refresh_token text);
CREATE TABLE whitelisted_addresses (ip_address inet NOT NULL, instance_id int NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, PRIMARY KEY (ip_address, instance_id));
CREATE TABLE gorp_migrations (id text PRIMARY KEY, applied_at timestamptz);
INSERT INTO gorp_migrations VALUES ('01_create_images.sql', '2017-05-01 12:00:00Z');
INSERT INTO images VALUES
  (${sharedImage}, now(), true, now(), now(), NULL),
  (${ORIGINAL.readyImage}, '2017-05-01 12:00:00Z', true, '2017-05-01 13:00:00Z', '2017-05-01 14:00:00Z', 'SELECT 1;'),
  (${ORIGINAL.pendingImage}, '2017-05-02 12:00:00Z', false, '2017-05-02 13:00:00Z', '2017-05-02 13:00:00Z', NULL),
  (${ORIGINAL.rawImage}, '2017-05-03 12:00:00Z', false, '2017-05-03 13:00:00Z', '2017-05-03 13:00:00Z', NULL);
INSERT INTO instances
  SELECT id, ${ORIGINAL.readyImage}, '2017-05-03 12:00:00Z', '2017-05-03 12:00:00Z', port, '${OWNER}', 'grant'
  FROM (VALUES (${ORIGINAL.displaced}, ${ORIGINAL.port}), (${ORIGINAL.instance}, ${ORIGINAL.port}),
    (${ORIGINAL.bystander}, ${ORIGINAL.bystanderPort})) AS old (id, port);
INSERT INTO whitelisted_addresses VALUES ('203.0.113.7', ${ORIGINAL.instance}, now(), now());
SELECT setval('images_id_seq', 7500), setval('instances_id_seq', 7500);
`;

/**
 * Makes what the original had on disk and as processes, with the owners and modes of its own scripts (5.3.6,
 * directory cmd; folders as its vagrant/provision.sh makes them). Its user `draupnir` is the server's user
 * here, `draupnir-instance` is LEGACY_USER.
 */
export async function makeOriginalData(installation: Installation): Promise<void> {
  const { data } = installation;
  await run(['useradd', '--system', '--user-group', '--shell', '/bin/sh', LEGACY_USER]);
  for (const folder of ['image_uploads', 'image_snapshots', 'instances']) {
    await run(['chown', `${SERVER_USER}:root`, join(data, folder)]);
    await run(['chmod', '0755', join(data, folder)]);
  }
  await makeOriginalCluster(installation);
  await unpackOriginalImage(installation, ORIGINAL.readyImage);
  await finaliseOriginalImage(installation, ORIGINAL.readyImage);
  await unpackOriginalImage(installation, ORIGINAL.rawImage);
  await removeOriginalCluster(installation);
  await startOriginalImage(installation, ORIGINAL.rawImage, ORIGINAL.rawPort);
  await createOriginalUpload(installation, ORIGINAL.pendingImage);
  await Promise.all([
    makeOriginalInstance(installation, ORIGINAL.displaced, ORIGINAL.readyImage),
    makeOriginalInstance(installation, ORIGINAL.instance, ORIGINAL.readyImage, ORIGINAL.port),
    makeOriginalInstance(installation, ORIGINAL.bystander, ORIGINAL.readyImage, ORIGINAL.bystanderPort),
  ]);
}
