import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { Api } from './support/api.ts';
import { type Outcome, run, runCommand } from './support/command.ts';
import { ERRORS } from './support/contract.ts';
import { readHostState } from './support/host-state.ts';
import { getInstallation, INSTANCE_PORTS, SERVER_USER } from './support/installation.ts';
import { useManifestChecks } from './support/manifest-checks.ts';
import { queryMetadata } from './support/metadata.ts';
import { getProcessStatus } from './support/processes.ts';
import { Server } from './support/server.ts';
import { type ConfigChoices, writeServerConfig } from './support/server-config.ts';

const running: Server[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) if (server.isRunning) await server.stop();
});

async function start(choices: ConfigChoices = {}): Promise<Server> {
  const installation = getInstallation();
  const server = await Server.start(
    installation,
    await writeServerConfig(installation, 'varied.toml', choices),
  );
  running.push(server);
  return server;
}

/** Runs the program as the server's user, without waiting for a server to answer. */
function draupnir(...args: string[]): Promise<Outcome> {
  return runCommand([getInstallation().program, ...args], { user: SERVER_USER });
}

async function writeConfig(name: string, text: string): Promise<string> {
  const file = join(getInstallation().scratch, name);
  await writeFile(file, text);
  return file;
}

/** A good configuration with changes. */
async function change(name: string, edit: (text: string) => string): Promise<string> {
  const good = await writeServerConfig(getInstallation(), 'good.toml');
  return writeConfig(name, edit(await readFile(good, 'utf8')));
}

const BROKEN = `environment = "test"
clean_interval = "soon"
min_instance_port = 80
max_instance_port = 100
trusted_user_email_domain = "example.com"
shared_secret = ""
colour = "blue"
[oauth]
client_id = "x"
`;
const COMPLAINTS = [
  'database_url',
  'data_path',
  'shared_secret',
  'trusted_user_email_domain',
  'public_hostname',
  'clean_interval',
  'min_instance_port',
  'http.listen_address',
  'oauth.redirect_url',
  'oauth.client_secret',
  'colour',
];

describe('the server', () => {
  it('runs as its unprivileged user, without any capability', async () => {
    const { pid } = await start();
    const uid = (await run(['id', '-u', SERVER_USER])).trim();
    expect(await getProcessStatus(pid, 'Uid')).toBe(Array(4).fill(uid).join('\t'));
    expect(await getProcessStatus(pid, 'CapEff')).toBe('0000000000000000');
  });

  it('stops with 0 when it is asked to, logging JSON with the environment on each line', async () => {
    const server = await start();
    expect(await server.stop()).toBe(0);
    const lines = await server.readLog();
    expect(lines.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining(['starting', 'listening', 'stopping', 'stopped']),
    );
    expect(new Set(lines.map((line) => line.environment))).toEqual(new Set(['test']));
  });

  it('stops at once though clients have sent half a request, over TLS and plain', async () => {
    const { httpPort, httpsPort } = getInstallation();
    const server = await start();
    const plain = connect({ port: httpPort, host: '127.0.0.1' });
    const secure = connectTls({ port: httpsPort, host: '127.0.0.1', rejectUnauthorized: false });
    for (const socket of [plain, secure]) socket.on('error', () => undefined);
    await Promise.all([once(plain, 'connect'), once(secure, 'secureConnect')]);
    const closed = Promise.all([once(plain, 'close'), once(secure, 'close')]);
    for (const socket of [plain, secure]) socket.write('GET /images HTTP/1.1\r\nHost: x\r\n');
    // A later request is answered: the server has read the halves by then.
    await new Api(getInstallation()).listImageIds();
    const begin = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - begin).toBeLessThan(2000);
    await closed;
  });

  it("admits no test token in another environment, but the upload user's", async () => {
    await start({ environment: 'staging' });
    const api = new Api(getInstallation());
    const refused = await api.send('GET', '/images');
    expect(refused.status).toBe(401);
    expect(refused.json).toEqual(ERRORS.unauthorized);
    expect((await api.send('GET', '/images', { as: 'upload' })).status).toBe(200);
  });

  it('logs no token, no secret and no script', async () => {
    const server = await start();
    const api = new Api(getInstallation());
    const { id } = await api.createImage('SELECT secret_of_the_script;');
    await api.send('GET', '/images?code=secret-of-the-query');
    await api.destroyImage(id);
    await server.stop();
    const log = JSON.stringify(await server.readLog());
    expect(log).toContain('/images');
    expect(log).not.toMatch(
      /integration-access-token|the-shared-secret|secret_of_the_script|secret-of-the-query/,
    );
  });

  it('tells when all ports are taken, and makes nothing', async () => {
    const { min } = INSTANCE_PORTS;
    await start({ ports: { min, max: min + 1 } });
    const api = new Api(getInstallation());
    const { imageId } = inject('e2e');
    const only = await api.createInstance(imageId);
    expect(only.port).toBe(min);
    const before = await readHostState();
    const body = { data: { type: 'instances', attributes: { image_id: imageId } } };
    const answer = await api.send('POST', '/instances', { body });
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ id: 'no_free_port', code: 'no_free_port', status: '503' });
    expect(await readHostState()).toEqual(before);
    await api.destroyInstance(only.id);
    await api.destroyInstance((await api.createInstance(imageId)).id);
  });
});

describe('a bad configuration', () => {
  it('is refused by the server with all problems at once, exit code 78', async () => {
    const file = await writeConfig('broken.toml', BROKEN);
    const { exitCode, stdout, stderr } = await draupnir('server', '--config', file);
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
    for (const path of COMPLAINTS) expect(stderr).toContain(`draupnir: ${file}: ${path}: `);
  });

  it('is refused by config check with the same problems', async () => {
    const file = await writeConfig('broken.toml', BROKEN);
    const { exitCode, stdout, stderr } = await draupnir('config', 'check', '--config', file);
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
    for (const path of COMPLAINTS) expect(stderr).toContain(`${file}: ${path}: `);
  });

  it.each([
    ['no such file', () => Promise.resolve('/nonexistent/config.toml'), 'cannot be read'],
    ['no TOML', () => writeConfig('no.toml', 'a = = b'), 'is not valid TOML'],
    [
      'a data path other than that of the scripts',
      () => change('path.toml', (text) => text.replace(/^data_path = .*$/m, 'data_path = "/elsewhere"')),
      'must be the DATA_PATH of',
    ],
  ])('is refused: %s', async (_what, prepare, reason) => {
    const { exitCode, stdout, stderr } = await draupnir('server', '--config', await prepare());
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
    expect(stderr).toContain(reason);
  });

  it('shows no secret', async () => {
    const file = await change('secret.toml', (text) =>
      `${text}shared_secret = "twice"\n`.replace('[http]', '[https]'),
    );
    const { stderr } = await draupnir('config', 'check', '--config', file);
    expect(stderr).not.toContain('the-shared-secret');
  });
});

describe('draupnir config check', () => {
  useManifestChecks();

  it('accepts a good configuration', async () => {
    const file = await writeServerConfig(getInstallation(), 'good.toml');
    expect(await draupnir('config', 'check', '--config', file)).toEqual({
      exitCode: 0,
      stdout: `${file}: ok\n`,
      stderr: '',
    });
  });

  it('warns of an unknown key, naming the nearest one', async () => {
    const file = await change('typo.toml', (text) => `log_levle = "info"\n${text}`);
    const { exitCode, stderr } = await draupnir('config', 'check', '--config', file);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^.*: log_levle: warning: .*log_level.*\n$/);
  });
});

describe('draupnir migrate', () => {
  const database = 'migrated';

  beforeAll(() => queryMetadata(`CREATE DATABASE ${database}`, 'postgres'));

  it('brings an empty database up to date, once', async () => {
    const config = await writeServerConfig(getInstallation(), 'migrate.toml', { database });
    const first = await draupnir('migrate', '--config', config);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toMatch(/^applied 1_initial\n(applied .+\n)*$/);
    expect(await queryMetadata('SELECT count(*) FROM images', database)).toBe('0');
    const second = await draupnir('migrate', '--config', config);
    expect(second).toEqual({ exitCode: 0, stdout: 'the database is up to date\n', stderr: '' });
  });

  it('says why it cannot', async () => {
    const config = await writeServerConfig(getInstallation(), 'migrate.toml', { database: 'missing' });
    const { exitCode, stdout, stderr } = await draupnir('migrate', '--config', config);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain('database "missing" does not exist');
  });
});
