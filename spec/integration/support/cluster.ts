/**
 * Vitest's global setup of the integration tests: one private Postgres of the newest installed major, for as long as
 * the tests run. It listens on a socket in a directory of its own and is fast rather than safe: nothing is synced.
 */
import { chown, mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { listAssets, readAsset } from '../../../src/assets.ts';
import { migrate } from '../../../src/db/migrate.ts';
import { TEMPLATE_DATABASE, type ClusterConfig } from './template.ts';

const POSTGRES_ROOT = '/usr/lib/postgresql';
const TIMEOUT_MS = 60_000;

/** What Postgres runs as when the tests run as root, as which it refuses to run. */
const UNPRIVILEGED_USER = 'nobody';

/** Starts the cluster and provides its `ClusterConfig` as `cluster`; resolves to what removes all of it. */
export default async function setup(project: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  // What has been made is undone in reverse order, whether the setup fails half-way or the tests have ended.
  await using made = new AsyncDisposableStack();
  const bin = await findPostgres();
  const run = await unprivileged();
  const dir = await mkdtemp(join(tmpdir(), 'draupnir-pg-'));
  made.defer(async () => {
    await execa('rm', ['-rf', '--', dir]);
  });
  if (run.owner !== undefined) await chown(dir, run.owner.uid, run.owner.gid);

  const config: ClusterConfig = { host: dir, port: 5432, user: 'postgres' };
  const data = join(dir, 'data');
  const pgCtl = (...args: string[]): string[] => [join(bin, 'pg_ctl'), `--pgdata=${data}`, ...args];
  await run.command([
    join(bin, 'initdb'),
    `--pgdata=${data}`,
    `--username=${config.user}`,
    '--auth=trust',
    '--encoding=UTF8',
    '--no-locale',
    '--no-sync',
  ]);
  // Without a postmaster there is nothing to stop, which pg_ctl calls a failure.
  made.defer(async () => {
    await run.command(pgCtl('stop', '--mode=immediate')).catch(() => undefined);
  });
  const settings = {
    listen_addresses: '',
    unix_socket_directories: dir,
    port: String(config.port),
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '200',
  };
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}='${value}'`);
  await run.command(pgCtl('start', '--wait', `--log=${join(dir, 'log')}`, `--options=${options.join(' ')}`));

  await createTemplate(config);
  project.provide('cluster', config);
  const kept = made.move();
  return () => kept.disposeAsync();
}

/** Directory of the newest major's programs. Throws when none is installed. */
async function findPostgres(): Promise<string> {
  const majors = (await readdir(POSTGRES_ROOT).catch(() => []))
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  if (majors.length === 0) {
    throw new Error(`no Postgres below ${POSTGRES_ROOT}: install one with apt-get install postgresql`);
  }
  return join(POSTGRES_ROOT, String(Math.max(...majors)), 'bin');
}

interface Unprivileged {
  /** Who must own what Postgres writes; absent when that is the caller. */
  owner?: { uid: number; gid: number };
  command(argv: readonly string[]): Promise<unknown>;
}

async function unprivileged(): Promise<Unprivileged> {
  const execute = ([file = '', ...args]: readonly string[]): Promise<unknown> =>
    // The working directory may be closed to the other user. No pipes: the postmaster would inherit and hold them.
    execa(file, args, {
      cwd: '/',
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'inherit',
      timeout: TIMEOUT_MS,
    });
  if (process.getuid?.() !== 0) return { command: execute };
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => execa('id', [flag, UNPRIVILEGED_USER])));
  const owner = { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
  const drop = ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--'];
  return { owner, command: (argv) => execute([...drop, ...argv]) };
}

async function createTemplate(config: ClusterConfig): Promise<void> {
  const files = listAssets('migrations').map((name) => ({ name, content: readAsset(name) }));
  const client = new pg.Client({ ...config, database: 'postgres' });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${TEMPLATE_DATABASE} TEMPLATE template0`);
    await migrate({ ...config, database: TEMPLATE_DATABASE }, files);
    await client.query(`ALTER DATABASE ${TEMPLATE_DATABASE} ALLOW_CONNECTIONS false`);
  } finally {
    await client.end();
  }
}
