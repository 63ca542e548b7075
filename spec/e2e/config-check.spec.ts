import { once } from 'node:events';
import { chmod, cp, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type CommandOptions, type Outcome, run, runCommand } from './support/command.ts';
import { getInstallation, INSTANCE_PORTS, SERVER_USER } from './support/installation.ts';
import { useManifestChecks } from './support/manifest-checks.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';

const installation = getInstallation();
const { httpPort, httpsPort, majors, data, scripts } = installation;
const servers: NetServer[] = [];

useManifestChecks();
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A good configuration with other values of its keys, as TOML. */
async function configure(values: Record<string, string> = {}): Promise<string> {
  const file = await writeServerConfig(installation, 'checked.toml');
  let toml = await readFile(file, 'utf8');
  for (const [key, value] of Object.entries(values)) {
    toml = toml.replace(new RegExp(`^${key} = .*$`, 'm'), `${key} = ${value}`);
  }
  await writeFile(file, toml);
  return file;
}

const check = (
  file: string,
  flags: string[] = [],
  options: CommandOptions = { user: SERVER_USER },
): Promise<Outcome> =>
  runCommand([installation.program, 'config', 'check', '--config', file, ...flags], options);

/** Lines of stderr, without the name of the configuration. */
const listLines = ({ stderr }: Outcome, file: string): string[] =>
  stderr
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace(`${file}: `, ''));

async function listen(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
}

const hostConf = join(scripts, 'host.conf');
const RIGHT: unknown[] = [
  expect.stringMatching(/^http\.tls_certificate: ok: is valid until \d{4}-\d\d-\d\d$/),
  `data_path: ok: is on btrfs (found "${data}")`,
  `scripts_path: ok: sudo lets ${SERVER_USER} run the scripts`,
  `${hostConf}: POSTGRES_ROOT: ok: has Postgres ${majors.join(', ')}`,
  expect.stringMatching(/^this host: locales: ok: /),
];

describe('draupnir config check', () => {
  it.each([
    ['the server’s user', { user: SERVER_USER }],
    ['root, as the server’s user', {}],
  ])('lists what is right, for %s', async (_who, options) => {
    const file = await configure();
    const outcome = await check(file, ['--verbose'], options);
    expect(outcome).toMatchObject({ exitCode: 0, stdout: `${file}: ok\n` });
    expect(listLines(outcome, file)).toEqual([
      ...RIGHT,
      expect.stringMatching(
        /^database_url: ok: Postgres \d+\.\d+.*, (up to date|migrated at the start of the server)$/,
      ),
      `http.listen_address: ok: port ${httpsPort} is free`,
      `http.insecure_listen_address: ok: port ${httpPort} is free`,
      'min_instance_port: ok: 100 ports for instances',
    ]);
  });

  it('accepts the ports of the server that runs', async () => {
    const file = await configure();
    const server = await Server.start(installation, file);
    try {
      const outcome = await check(file, ['--verbose']);
      expect(outcome.exitCode).toBe(0);
      expect(listLines(outcome, file)).toContain(
        `http.listen_address: ok: port ${httpsPort} is in use by the server`,
      );
    } finally {
      await server.stop();
    }
  });

  it('reports all problems of host and configuration at once', async () => {
    const file = await configure({
      database_url: '"host=/nonexistent user=draupnir dbname=draupnir"',
      data_path: '"/elsewhere"',
      clean_interval: '"soon"',
      public_hostname: '"draupnir.example.com"',
      scripts_path: `"${await copyScripts('closed', (text) => text.replace(/^POSTGRES_ROOT=.*$/m, 'POSTGRES_ROOT=/nonexistent'))}"`,
      client_id: '"replace-this.apps.googleusercontent.com"',
      enabled: 'true',
    });
    await listen(httpsPort);
    await listen(INSTANCE_PORTS.min + 1);
    const outcome = await check(file);
    expect(outcome).toMatchObject({ exitCode: 78, stdout: '' });
    const conf = join(installation.scratch, 'closed/host.conf');
    expect(listLines(outcome, file)).toEqual([
      'clean_interval: must be a positive duration, such as "30m", "6h" or "1h30m" (found "soon")',
      'public_hostname: is the value of the sample: replace it by your own (found "draupnir.example.com")',
      'trusted_user_email_domain: is the value of the sample: replace it by your own (found "@example.com")',
      'oauth.client_id: is the value of the sample: replace it by your own (found "replace-this.apps.googleusercontent.com")',
      `data_path: must be the DATA_PATH of ${conf}, which is ${data} (found /elsewhere)`,
      'data_path: cannot be read: no such file; mount the btrfs volume there, writable (found "/elsewhere")',
      expect.stringMatching(
        /^scripts_path: draupnir-create-image, .* and \d+ more: sudo does not let \S+ run it; install it/,
      ),
      `${conf}: POSTGRES_ROOT: has no Postgres from 13 to 18: run apt-get install postgresql (found /nonexistent)`,
      expect.stringMatching(
        /^database_url: the database cannot be used: .*ENOENT.*; start Postgres, and check host and port$/,
      ),
      `http.listen_address: port ${httpsPort} is in use by a program of uid 0: find it with ss -ltnp 'sport = :${httpsPort}', stop it or choose another port`,
      `min_instance_port: warning: other programs listen on 1 of 100 ports, which instances cannot use: ${INSTANCE_PORTS.min + 1}; end them or choose other ports`,
    ]);
  });

  it('names a certificate of another host, and a database that refuses its user', async () => {
    const file = await configure({
      enabled: 'true',
      trusted_user_email_domain: '"@corp.test"',
      redirect_url: '"https://other.test/oauth_callback"',
      database_url: `"host=${installation.metadata} user=postgres dbname=draupnir"`,
    });
    const outcome = await check(file);
    expect(outcome.exitCode).toBe(78);
    expect(listLines(outcome, file)).toEqual([
      expect.stringMatching(
        /^http\.tls_certificate: is for DNS:localhost.* and not for other\.test, the host of oauth\.redirect_url: get one/,
      ),
      expect.stringMatching(
        /^database_url: the database cannot be used: .*"postgres".*; check user and password, and pg_hba\.conf/,
      ),
    ]);
  });

  it('reports a host.conf that the server cannot read, without a stack trace', async () => {
    const copy = await copyScripts('secret', (text) => text);
    await chmod(join(copy, 'host.conf'), 0o600);
    const file = await configure({ scripts_path: `"${copy}"` });
    const outcome = await check(file);
    expect(outcome.exitCode).toBe(78);
    expect(listLines(outcome, file)).toEqual([
      `scripts_path: ${copy}/host.conf cannot be read: permission denied; let every user read it, such as by chmod 0644`,
      expect.stringContaining('scripts_path: draupnir-create-image'),
    ]);
  });

  it('leaves out database and ports with --offline', async () => {
    const file = await configure({ database_url: '"host=/nonexistent user=draupnir dbname=draupnir"' });
    await listen(httpsPort);
    const outcome = await check(file, ['--offline', '--verbose']);
    expect(outcome.exitCode).toBe(0);
    expect(listLines(outcome, file)).toEqual([
      ...RIGHT,
      'database_url: skipped: --offline',
      'http: skipped: --offline',
      'min_instance_port: skipped: --offline',
    ]);
  });
});

/** Scripts at another place, for which there are no sudo rules. */
async function copyScripts(name: string, edit: (hostConf: string) => string): Promise<string> {
  const copy = join(installation.scratch, name);
  await cp(scripts, copy, { recursive: true, force: true });
  await writeFile(join(copy, 'host.conf'), edit(await readFile(hostConf, 'utf8')));
  await run(['chown', '-R', 'root:root', copy]);
  return copy;
}
