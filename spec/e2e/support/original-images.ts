import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { type Installation, LEGACY_USER, SERVER_USER } from './installation.ts';

/** The original prepared images as this user, that of Debian's package. */
const RAW_USER = 'postgres';
/** The bot of the original: a user other than ours, whose files stay behind. */
const OLD_BOT = 'nobody';

/** Where the original expects an upload. */
export function getUploadDirectory({ data }: Installation, id: number): string {
  return join(data, 'image_uploads', String(id));
}

/** `POST /images`, and an upload that was cut short: the server made the subvolume as its own user. */
export async function createOriginalUpload(installation: Installation, id: number): Promise<void> {
  const dir = getUploadDirectory(installation, id);
  await createSubvolume(dir);
  await writeFile(join(dir, 'base.tar.gz'), 'cut short', { mode: 0o644 });
  await run(['chown', `${OLD_BOT}:`, join(dir, 'base.tar.gz')]);
}

/**
 * Makes the cluster that images are made of: a backup of production, which belongs to the user of Debian's
 * package.
 */
export async function makeOriginalCluster(installation: Installation): Promise<void> {
  const dir = getClusterDirectory(installation);
  await run(['install', '-d', '-m', '0700', '-o', RAW_USER, '-g', RAW_USER, dir]);
  const initdb = ['-U', 'postgres', '-E', 'UTF8', '--no-locale', '-A', 'trust', '--no-sync'];
  await runPostgres(installation, RAW_USER, ['initdb', '-D', dir, ...initdb]);
  const statements = [
    'CREATE ROLE draupnir CREATEDB LOGIN',
    'CREATE TABLE answers AS SELECT 42 AS answer',
    'ALTER TABLE answers OWNER TO draupnir',
  ];
  const postgres = ['postgres', '--single', '-D', dir, 'postgres'];
  await runPostgres(installation, RAW_USER, postgres, statements.map((line) => `${line}\n`).join(''));
  await appendFile(
    join(dir, 'postgresql.conf'),
    `listen_addresses = '*'\nfsync = off\nmax_wal_senders = 0\n`,
  );
  await appendFile(join(dir, 'pg_hba.conf'), 'host all all 0.0.0.0/0 trust\n');
}

/** `POST /images`, an upload, and the script draupnir-start-image up to where Postgres is started. */
export async function unpackOriginalImage(installation: Installation, id: number): Promise<void> {
  const dir = getUploadDirectory(installation, id);
  await createSubvolume(dir);
  await run(['cp', '-a', '--reflink=always', `${getClusterDirectory(installation)}/.`, dir]);
  await writeFile(join(dir, '.draupnir-start-image'), 'started\n', { mode: 0o644 });
}

/** Its end: a Postgres on the raw data, reachable by TCP, without any password. */
export async function startOriginalImage(
  installation: Installation,
  id: number,
  port: number,
): Promise<void> {
  const dir = getUploadDirectory(installation, id);
  const log = join(installation.scratch, `original-image-${id}`);
  await run(['install', '-m', '0600', '-o', RAW_USER, '/dev/null', log]);
  const options = ['-D', dir, '-l', log, '-w', '-s', '-o', `-p ${port} -k /tmp`];
  await runPostgres(installation, RAW_USER, ['pg_ctl', ...options, 'start']);
  const connection = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', 'postgres'];
  await run(['psql', '-X', '-q', ...connection, '-c', 'CREATE ROLE "draupnir-admin" SUPERUSER LOGIN']);
}

/** The end of draupnir-finalise-image: the upload stays, with a writable snapshot of it. */
export async function finaliseOriginalImage(installation: Installation, id: number): Promise<void> {
  const dir = getUploadDirectory(installation, id);
  const hba = join(dir, 'pg_hba.conf');
  await writeFile(hba, 'local all all trust\nhostssl all draupnir 0.0.0.0/0 cert map=draupnir\n');
  await run(['find', dir, '-user', RAW_USER, '-exec', 'chown', LEGACY_USER, '{}', ';']);
  await run(['find', dir, '-group', RAW_USER, '-exec', 'chgrp', LEGACY_USER, '{}', ';']);
  await run(['chown', `root:${LEGACY_USER}`, hba]);
  await run(['chmod', '0640', hba]);
  await run(['chattr', '+i', hba]);
  const snapshot = join(installation.data, 'image_snapshots', String(id));
  await run(['btrfs', '-q', 'subvolume', 'snapshot', dir, snapshot]);
}

/** Runs a program of Debian's major as one of the original's users, with the text on its stdin. */
export function runPostgres(
  { postgres, debianMajor }: Installation,
  user: string,
  [program = '', ...args]: readonly string[],
  input = '',
): Promise<string> {
  return run([join(postgres, String(debianMajor), 'bin', program), ...args], { user, input });
}

/** Removes what the images were made of. */
export async function removeOriginalCluster(installation: Installation): Promise<void> {
  await run(['rm', '-r', '--', getClusterDirectory(installation)]);
}

/** On the volume, so that its files can be shared. */
function getClusterDirectory({ data }: Installation): string {
  return join(data, 'original-cluster');
}

async function createSubvolume(dir: string): Promise<void> {
  await run(['btrfs', '-q', 'subvolume', 'create', dir], { user: SERVER_USER });
  await run(['chmod', '0775', dir], { user: SERVER_USER });
}
