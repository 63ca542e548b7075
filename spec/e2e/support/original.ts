import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { INSTANCE_PORTS, type Installation, UPLOAD_USER } from './installation.ts';

/** The user that Draupnir 5.3 ran all its instances as, `draupnir-instance`; any that no instance of ours has will do. */
const OWNER = UPLOAD_USER;

/** What Draupnir 5.3 has left, as ids; they are far from those of other tests. */
export const ORIGINAL = {
  readyImage: 7001,
  pendingImage: 7002,
  instance: 7101,
  bystander: 7102,
  port: INSTANCE_PORTS.max - 1,
  bystanderPort: INSTANCE_PORTS.max - 2,
} as const;

/** Tables and rows of the internal database in the original's final shape (contract: server configuration). */
export const ORIGINAL_SQL = `
CREATE TABLE images (id serial PRIMARY KEY, backed_up_at timestamptz NOT NULL, ready boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, anon text);
CREATE TABLE instances (id serial PRIMARY KEY, image_id int NOT NULL REFERENCES images (id), created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL, port int, user_email text, refresh_token text);
CREATE TABLE whitelisted_addresses (ip_address inet NOT NULL, instance_id int NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, PRIMARY KEY (ip_address, instance_id));
CREATE TABLE gorp_migrations (id text PRIMARY KEY, applied_at timestamptz);
INSERT INTO gorp_migrations VALUES ('01_create_images.sql', '2017-05-01 12:00:00Z');
INSERT INTO images VALUES
  (${ORIGINAL.readyImage}, '2017-05-01 12:00:00Z', true, '2017-05-01 13:00:00Z', '2017-05-01 14:00:00Z', 'SELECT 1;'),
  (${ORIGINAL.pendingImage}, '2017-05-02 12:00:00Z', false, '2017-05-02 13:00:00Z', '2017-05-02 13:00:00Z', NULL);
INSERT INTO instances
  SELECT id, ${ORIGINAL.readyImage}, '2017-05-03 12:00:00Z', '2017-05-03 12:00:00Z', port, 'integration-test@example.com', 'grant'
  FROM (VALUES (${ORIGINAL.instance}, ${ORIGINAL.port}), (${ORIGINAL.bystander}, ${ORIGINAL.bystanderPort})) AS old (id, port);
INSERT INTO whitelisted_addresses VALUES ('203.0.113.7', ${ORIGINAL.instance}, now(), now());
SELECT setval('images_id_seq', 7500), setval('instances_id_seq', 7500);
`;

/** Makes the original's directories: a writable snapshot of an image, and two instances that run. */
export async function makeOriginalData(installation: Installation): Promise<void> {
  const { data, postgres, debianMajor } = installation;
  const image = join(data, 'image_snapshots', String(ORIGINAL.readyImage));
  const draft = join(data, 'instances', 'original-image');
  const pg = (program: string, ...args: string[]): Promise<string> =>
    run([join(postgres, String(debianMajor), 'bin', program), ...args], { user: OWNER });

  await run(['btrfs', '-q', 'subvolume', 'create', draft]);
  await run(['chown', `${OWNER}:`, draft]);
  await run(['chmod', '0700', draft]);
  await pg('initdb', '-D', draft, '-U', 'postgres', '-E', 'UTF8', '--no-locale', '-A', 'trust', '--no-sync');
  await pg(
    'pg_ctl',
    '-D',
    draft,
    '-l',
    join(draft, 'log'),
    '-w',
    '-s',
    '-o',
    `-k ${draft} -c listen_addresses=`,
    'start',
  );
  const sql = `CREATE ROLE "draupnir-admin" SUPERUSER LOGIN; CREATE ROLE draupnir LOGIN;
    CREATE TABLE answers AS SELECT 42 AS answer; ALTER TABLE answers OWNER TO draupnir;`;
  await run(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', draft, '-U', 'postgres', '-c', sql], {
    user: OWNER,
  });
  await pg('pg_ctl', '-D', draft, '-w', '-s', 'stop');
  await run(['btrfs', '-q', 'subvolume', 'snapshot', draft, image]);
  await run(['btrfs', '-q', 'subvolume', 'delete', draft]);
  await startOriginalInstance(installation, pg, ORIGINAL.instance, ORIGINAL.port);
  await startOriginalInstance(installation, pg, ORIGINAL.bystander, ORIGINAL.bystanderPort);
}

/** Where an instance of the original keeps its data, its configuration and its certificates. */
export function getOriginalDirectory(installation: Installation, id: number): string {
  return join(installation.data, 'instances', String(id));
}

async function startOriginalInstance(
  installation: Installation,
  pg: (program: string, ...args: string[]) => Promise<string>,
  id: number,
  port: number,
): Promise<void> {
  const dir = getOriginalDirectory(installation, id);
  const image = join(installation.data, 'image_snapshots', String(ORIGINAL.readyImage));
  await run(['btrfs', '-q', 'subvolume', 'snapshot', image, dir]);
  await makeCertificates(dir);
  await writeFile(join(dir, 'pg_hba.conf'), 'local all all trust\nhostssl all draupnir 0.0.0.0/0 cert\n');
  await writeFile(join(dir, 'pg_ident.conf'), '');
  const settings = await readFile(join(dir, 'postgresql.conf'), 'utf8');
  const own = `ssl = on\nssl_ca_file = 'ca.crt'\nlisten_addresses = '*'\nunix_socket_directories = '${dir}'\n`;
  await writeFile(join(dir, 'postgresql.conf'), settings + own);
  await run(['chown', '-R', `${OWNER}:`, dir]);
  await run(['chattr', '+i', join(dir, 'pg_hba.conf'), join(dir, 'pg_ident.conf')]);
  await pg('pg_ctl', '-D', dir, '-l', join(dir, 'log'), '-w', '-s', '-o', `-p ${port}`, 'start');
}

/** RSA certificates by openssl, as the original made them. */
async function makeCertificates(dir: string): Promise<void> {
  const at = (name: string): string => join(dir, name);
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  await run([
    'openssl',
    'req',
    '-x509',
    ...key,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.crt'),
    '-subj',
    '/CN=ca',
  ]);
  for (const [name, subject] of [
    ['server', '/CN=localhost'],
    ['client', '/CN=draupnir'],
  ] as const) {
    const request = at(`${name}.csr`);
    await run(['openssl', 'req', ...key, '-keyout', at(`${name}.key`), '-out', request, '-subj', subject]);
    const authority = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial'];
    await run(['openssl', 'x509', '-req', '-in', request, ...authority, '-out', at(`${name}.crt`)]);
  }
}
