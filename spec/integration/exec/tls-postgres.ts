/** A Postgres of a test's own that listens on both loopback addresses with TLS, configured as instances are. */
import { randomInt } from 'node:crypto';
import { chown, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import { expect } from 'vitest';
import type { CertificateChain } from '../../../src/core/instance.ts';

export interface TlsPostgres {
  port: number;
  pid: number;
  /** Replaces pg_hba.conf and resolves when new connections are subject to it. */
  setHba(lines: readonly string[]): Promise<void>;
  /** Replaces the server's certificate and what clients are checked by; Postgres is told and takes its time. */
  setCertificates(chain: CertificateChain): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it with the server's certificate; `clusterName` is what it says of itself. */
export async function startTlsPostgres(options: {
  chain: CertificateChain;
  clusterName: string;
  ident: readonly string[];
}): Promise<TlsPostgres> {
  await using made = new AsyncDisposableStack();
  const { owner, run } = await findAccount();
  const bin = await findPrograms();
  const dir = await mkdtemp(join(tmpdir(), 'draupnir-tls-'));
  made.defer(() => rm(dir, { recursive: true, force: true }));
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(join(dir, name), text, { mode: 0o600 });
    if (owner) await chown(join(dir, name), owner.uid, owner.gid);
  };
  if (owner) await chown(dir, owner.uid, owner.gid);

  const port = await findFreePort();
  const data = join(dir, 'data');
  await run([join(bin, 'initdb'), `-D${data}`, '-Upostgres', '-Atrust', '--no-locale', '--no-sync']);
  const writeCertificates = async (chain: CertificateChain): Promise<void> => {
    await write('ca.crt', chain.ca.certificate);
    await write('server.crt', chain.server.certificate);
    await write('server.key', chain.server.key);
  };
  await writeCertificates(options.chain);
  await write('hba', 'local all all trust\n');
  await write('ident', options.ident.join('\n'));
  const ipv6 = Object.values(networkInterfaces()).some((list) =>
    list?.some(({ address }) => address === '::1'),
  );
  const settings = {
    listen_addresses: ipv6 ? '127.0.0.1,::1' : '127.0.0.1',
    unix_socket_directories: dir,
    port: String(port),
    fsync: 'off',
    cluster_name: options.clusterName,
    hba_file: join(dir, 'hba'),
    ident_file: join(dir, 'ident'),
    ssl: 'on',
    ssl_ca_file: join(dir, 'ca.crt'),
    ssl_cert_file: join(dir, 'server.crt'),
    ssl_key_file: join(dir, 'server.key'),
  };
  const arguments_ = Object.entries(settings).map(([name, value]) => `-c ${name}='${value}'`);
  made.defer(() => run([join(bin, 'pg_ctl'), 'stop', `-D${data}`, '-mimmediate']));
  await run([
    join(bin, 'pg_ctl'),
    'start',
    '-w',
    `-D${data}`,
    `-l${join(dir, 'log')}`,
    `-o${arguments_.join(' ')}`,
  ]);
  const ask = (sql: string): Promise<unknown> => askOnce({ host: dir, port, user: 'postgres' }, sql);
  await ask('CREATE ROLE draupnir LOGIN');
  const [pid = ''] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
  const kept = made.move();
  return {
    port,
    pid: Number(pid),
    setHba: async (lines) => {
      const loaded = 'SELECT pg_conf_load_time()::text';
      const before = await ask(loaded);
      await write('hba', ['local all all trust', ...lines, ''].join('\n'));
      expect(await ask('SELECT count(*)::int FROM pg_hba_file_rules WHERE error IS NOT NULL')).toBe(0);
      await ask('SELECT pg_reload_conf()');
      await expect.poll(() => ask(loaded), { interval: 5 }).not.toBe(before);
    },
    setCertificates: async (chain) => {
      await writeCertificates(chain);
      await ask('SELECT pg_reload_conf()');
    },
    stop: () => kept.disposeAsync(),
  };
}

/** The first value of the first row, on a connection of its own: only a new one sees what the postmaster has read. */
async function askOnce(config: pg.ClientConfig, sql: string): Promise<unknown> {
  const client = new pg.Client({ ...config, database: 'postgres' });
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

/** Below those that the kernel gives to clients, who would take one before Postgres does (ip(7), ip_local_port_range). */
async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(25_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

async function findPrograms(): Promise<string> {
  const root = '/usr/lib/postgresql';
  const majors = (await readdir(root)).map(Number).filter((major) => major > 0);
  return join(root, String(Math.max(...majors)), 'bin');
}

/** Postgres refuses to run as root; then it is `nobody`. */
async function findAccount(): Promise<{
  owner?: { uid: number; gid: number };
  run: (argv: readonly string[]) => Promise<void>;
}> {
  const execute = async ([file = '', ...args]: readonly string[]): Promise<void> => {
    // No pipes: the postmaster would inherit and hold them.
    await execa(file, args, { cwd: '/', stdio: ['ignore', 'ignore', 'inherit'], timeout: 60_000 });
  };
  if (process.getuid?.() !== 0) return { run: execute };
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => execa('id', [flag, 'nobody'])));
  const owner = { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
  const drop = ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--'];
  return { owner, run: (argv) => execute([...drop, ...argv]) };
}
