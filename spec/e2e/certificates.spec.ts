import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Answer, Instance } from './support/api.ts';
import { Cli } from './support/cli.ts';
import { type Outcome, runCommand } from './support/command.ts';
import { ERRORS } from './support/contract.ts';
import { holdLock } from './support/held-lock.ts';
import { readHostState } from './support/host-state.ts';
import { connect, query } from './support/instance-client.ts';
import { getInstallation, INSTANCE_UID_BASE, SERVER_USER } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { listProcessesOf, signal } from './support/processes.ts';
import type { ConfigChoices } from './support/server-config.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const choices: ConfigChoices = {};
const server = useServer(choices);
let instance: Instance;
/** What its configuration directory holds when it is new. */
let files: string[];

beforeEach(async () => {
  choices.certificateLifetime = '720h';
  if (!server.process.isRunning) await server.start();
  instance = await server.api.createInstance(inject('e2e').imageId);
  files = (await readdir(getConfigDirectory())).sort();
});
afterEach(async () => {
  if (server.process.isRunning) await server.api.destroyInstance(instance.id);
});

const UNKNOWN_CA = { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' };

/** The certificate an instance shows, as openssl sees it. */
async function readServed({ port }: Pick<Instance, 'port'>): Promise<X509Certificate> {
  const argv = ['openssl', 's_client', '-starttls', 'postgres', '-connect', `127.0.0.1:${port}`];
  const { stdout } = await runCommand(argv, { input: '' });
  return new X509Certificate(stdout.slice(stdout.indexOf('-----BEGIN CERTIFICATE-----')));
}

/** Starts the server anew with another lifetime, which makes it renew everything in its first round. */
async function restartWithLifetime(certificateLifetime: string): Promise<void> {
  expect(await server.process.stop()).toBe(0);
  choices.certificateLifetime = certificateLifetime;
  await server.start();
}

async function waitForLog(msg: string): Promise<void> {
  await server.process.waitForLines((line) => line.msg === msg && line.instanceId === instance.id);
}

function rotate(id: number, as: 'developer' | 'upload' = 'developer'): Promise<Answer> {
  return server.api.send('POST', `/instances/${id}/credentials`, { as, body: '{"any":' });
}

function getConfigDirectory(): string {
  return join(getInstallation().data, 'instance_config', String(instance.id));
}

/** What the API hands out is what the instance takes and serves; on disk is one set that belongs together, and nothing else. */
async function expectConsistent(): Promise<Instance> {
  const now = await server.api.getInstance(instance.id);
  expect(await query(now, 'SELECT 1')).toEqual([1]);
  const served = await readServed(now);
  expect(served.verify(new X509Certificate(now.credentials.ca).publicKey)).toBe(true);
  const conf = getConfigDirectory();
  const key = createPrivateKey(await readFile(join(conf, 'server.key')));
  const certificate = new X509Certificate(await readFile(join(conf, 'server.crt')));
  expect(certificate.checkPrivateKey(key)).toBe(true);
  expect(certificate.fingerprint256).toBe(served.fingerprint256);
  expect((await readdir(conf)).sort()).toEqual(files);
  return now;
}

describe('the certificates of an instance', () => {
  it('are valid for the configured time', async () => {
    await restartWithLifetime('90h');
    const own = await server.api.createInstance(inject('e2e').imageId);
    for (const certificate of [own.credentials.ca, own.credentials.cert]) {
      const { validFromDate, validToDate } = new X509Certificate(certificate);
      expect(validToDate.getTime() - validFromDate.getTime()).toBe(91 * 3_600_000);
    }
    const served = await readServed(own);
    expect(served.validToDate.getTime() - served.validFromDate.getTime()).toBe(91 * 3_600_000);
    await server.api.destroyInstance(own.id);
  });

  it('are renewed without a session noticing, and the old credentials go on working', async () => {
    const before = await readServed(instance);
    const cli = await Cli.create('developer');
    const { stdout: environment } = await cli.run(['env', String(instance.id)]);
    const session = await connect(instance);
    await session.query('CREATE TEMP TABLE mine AS SELECT 42 AS answer');

    await restartWithLifetime('24h');
    await waitForLog('renewed certificates');

    expect((await session.query('SELECT answer FROM mine')).rows).toEqual([{ answer: 42 }]);
    const after = await readServed(instance);
    expect(after.fingerprint256).not.toBe(before.fingerprint256);
    expect(after.validToDate.getTime()).toBeLessThan(Date.now() + 24 * 3_600_000);
    expect(await query(instance, 'SELECT 1')).toEqual([1]);

    const now = await expectConsistent();
    expect(now.credentials).not.toEqual(instance.credentials);
    expect(new X509Certificate(now.credentials.cert).validToDate).toEqual(after.validToDate);
    // libpq, whose root file knows the old certificate of the CA alone, and is shown the new one.
    const psql = await cli.bash(`${environment} psql -X -A -t -c 'SELECT 42'`);
    expect(psql).toMatchObject({ exitCode: 0, stdout: '42\n' });
    expect(
      await query({ ...now, credentials: { ...now.credentials, ca: instance.credentials.ca } }, 'SELECT 1'),
    ).toEqual([1]);
    await session.end();
  });

  it('are repaired when the database was restored to a time before they were replaced', async () => {
    const readBox = `SELECT encode(credentials, 'hex') FROM instances WHERE id = ${instance.id}`;
    const box = await queryMetadata(readBox);
    expect(await rotate(instance.id)).toMatchObject({ status: 201 });
    const session = await connect(await server.api.getInstance(instance.id));
    expect(await server.process.stop()).toBe(0);
    await queryMetadata(
      `UPDATE instances SET credentials = decode('${box}', 'hex') WHERE id = ${instance.id}`,
    );
    await server.start();
    await waitForLog('renewed certificates');
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
    await expectConsistent();
    expect((await session.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await session.end();
  });
});

describe('POST /instances/:id/credentials', () => {
  it('hands out new credentials and makes the old ones useless', async () => {
    const session = await connect(instance);
    const busy = await connect(instance);
    const cut = busy.query('SELECT pg_sleep(600)').catch((error: unknown) => error);
    const pids = (await listProcessesOf(INSTANCE_UID_BASE + instance.id)).map(({ pid }) => pid);

    const answer = await rotate(instance.id);
    expect(answer).toMatchObject({ status: 201 });
    const fetched = await server.api.send('GET', `/instances/${instance.id}`);
    expect(answer.json).toEqual(fetched.json);

    expect(await cut).toMatchObject({ code: '57P01' });
    await expect(session.query('SELECT 1')).rejects.toThrow();
    await Promise.all([session.end(), busy.end()]);
    const now = await expectConsistent();
    const { ca } = now.credentials;
    await expect(
      connect({ ...instance, credentials: { ...instance.credentials, ca } }),
    ).rejects.toMatchObject(UNKNOWN_CA);
    await expect(connect(instance)).rejects.toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    // Not restarted: the postmaster is who it was.
    expect((await listProcessesOf(INSTANCE_UID_BASE + instance.id)).map(({ pid }) => pid)).toContain(pids[0]);
  });

  it('ends a session that does not heed it', async () => {
    const session = await connect(instance);
    const [pid] = (await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows;
    signal(pid?.pid ?? 0, 'SIGSTOP');
    expect(await rotate(instance.id)).toMatchObject({ status: 201 });
    await expect(session.query('SELECT 1')).rejects.toThrow();
    await session.end();
    const now = await server.api.getInstance(instance.id);
    await waitUntil('Postgres has recovered', () => query(now, 'SELECT 1').catch(() => undefined));
    await expectConsistent();
  });

  it('is not there for anybody else, nor for what does not exist', async () => {
    for (const answer of [
      await rotate(instance.id, 'upload'),
      await server.api.send('POST', `/instances/${instance.id + 1000}/credentials`),
    ]) {
      expect(answer).toMatchObject({ status: 404, json: ERRORS.notFound });
    }
    expect(await server.api.getInstance(instance.id)).toEqual(instance);
  });

  it('asked for by many at once is done once', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => rotate(instance.id)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    await expectConsistent();
  });

  it('gives way to a destruction', async () => {
    const own = await server.api.createInstance(inject('e2e').imageId);
    const [rotated] = await Promise.all([rotate(own.id), server.api.destroyInstance(own.id)]);
    expect([201, 404]).toContain(rotated.status);
    expect(await rotate(own.id)).toMatchObject({ status: 404 });
    expect(await listProcessesOf(INSTANCE_UID_BASE + own.id)).toEqual([]);
    expect(await readdir(join(getInstallation().data, 'instance_config'))).not.toContain(String(own.id));
  });
});

describe('draupnir instances rotate', () => {
  it('prints the line of the instance, and says what to do next to the person', async () => {
    const cli = await Cli.create('developer');
    const { stdout, stderr, exitCode } = await cli.run(['instances', 'rotate', String(instance.id)]);
    expect({ stdout, exitCode }).toEqual({
      stdout: `${String(instance.id).padStart(2)} [ PORT: ${instance.port} - ${instance.createdAt} ]\n`,
      exitCode: 0,
    });
    expect(stderr).toContain(`eval "$(draupnir env ${instance.id})"`);
    await expectConsistent();
  });
});

describe('a server that is killed while it replaces credentials', () => {
  /** Starts a replacement that stops at the lock of the instance: its intent is written, nothing else is. */
  async function startRotation(): Promise<{ answer: Promise<unknown>; release: () => Promise<void> }> {
    const lock = await holdLock(`instance-${instance.id}`);
    const readBox = `SELECT encode(credentials, 'hex') FROM instances WHERE id = ${instance.id}`;
    const box = await queryMetadata(readBox);
    const answer = rotate(instance.id).catch((error: unknown) => error);
    await waitUntil('the intent is written', async () => (await queryMetadata(readBox)) !== box);
    return { answer, release: lock };
  }

  async function waitForScripts(): Promise<void> {
    await waitUntil('the script ends', async () => (await readHostState()).scripts.length === 0);
  }

  /** The replacement was promised to nobody, but is made: the old credentials are useless, the new ones work. */
  async function expectReplaced(): Promise<void> {
    const now = await expectConsistent();
    expect(now.credentials).not.toEqual(instance.credentials);
    await expect(connect(instance)).rejects.toThrow();
    expect((await server.process.readLog()).filter(({ level }) => level === 'error')).toEqual([]);
  }

  it('when its intent is written, makes the change at its next start', async () => {
    const { answer, release } = await startRotation();
    await server.process.kill();
    expect(await answer).toBeInstanceOf(Error);
    await release();
    await waitForScripts();
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
    await server.start();
    await expectReplaced();
  });

  it('when the files are in place and not proven, brings the old ones back, and makes the change at its next start', async () => {
    const { answer, release } = await startRotation();
    const [postmaster] = await listProcessesOf(INSTANCE_UID_BASE + instance.id);
    signal(postmaster?.pid ?? 0, 'SIGSTOP');
    await release();
    await waitUntil('the files are in place', async () =>
      (await readdir(getConfigDirectory())).includes('previous'),
    );
    await server.process.kill();
    expect(await answer).toBeInstanceOf(Error);
    await waitForScripts();
    signal(postmaster?.pid ?? 0, 'SIGCONT');
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
    await server.start();
    await expectReplaced();
  });

  it('when the change is made and not written as done, writes it at its next start', async () => {
    const session = await connect(instance);
    const ended = new Promise((resolve) => session.once('end', resolve));
    const { answer, release } = await startRotation();
    const locking = queryMetadata(
      `BEGIN; SELECT FROM instances WHERE id = ${instance.id} FOR UPDATE; SELECT pg_sleep(600)`,
    ).catch((error: unknown) => error);
    const isSaid = (condition: string) => async (): Promise<boolean> =>
      (await queryMetadata(`SELECT count(*) FROM pg_stat_activity WHERE ${condition}`)) !== '0';
    await waitUntil('the record is locked', isSaid(`wait_event = 'PgSleep'`));
    await release();
    await ended;
    const writing = `query LIKE 'UPDATE instances SET credentials%' AND wait_event_type = 'Lock'`;
    await waitUntil('the record is to be written', isSaid(writing));
    await server.process.kill();
    expect(await answer).toBeInstanceOf(Error);
    for (const condition of [writing, `wait_event = 'PgSleep'`]) {
      await queryMetadata(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${condition}`);
    }
    await locking;
    await expect(connect(instance)).rejects.toThrow();
    await server.start();
    await expectReplaced();
  });

  it('and whose script is killed half-way through the swap, has an instance that starts', async () => {
    expect(await server.process.stop()).toBe(0);
    const processes = await listProcessesOf(INSTANCE_UID_BASE + instance.id);
    for (const { pid } of processes) signal(pid, 'SIGKILL');
    const conf = getConfigDirectory();
    await mkdir(join(conf, 'next'));
    for (const name of ['server.crt', 'ca.crt']) {
      await rename(join(conf, name), join(conf, 'next', name));
      await writeFile(join(conf, name), 'of another set');
    }
    await server.start();
    await waitUntil('it answers', () => query(instance, 'SELECT 1').catch(() => undefined));
    await expectConsistent();
  });
});

describe('draupnir-renew-instance', () => {
  /** Runs the script as the server's user does. */
  function renew(args: readonly string[], input = ''): Promise<Outcome> {
    const script = join(getInstallation().scripts, 'draupnir-renew-instance');
    return runCommand(['sudo', '-n', '--', script, ...args], { user: SERVER_USER, input });
  }

  it.each([
    [[]],
    [['0']],
    [['01']],
    [['1 2']],
    [['1', '2']],
    [['-1']],
    [['../1']],
    [['1;id']],
    [['1\n2']],
    [['9999999999']],
  ])('is refused by sudo with the arguments %j', async (args) => {
    expect(await renew(args)).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(/password|not allowed/) as unknown,
    });
  });

  it('does nothing for an instance that does not exist', async () => {
    const pem = pems();
    expect(await renew([String(instance.id + 1000)], `${pem.join('\f')}\fkeep\n`)).toMatchObject({
      exitCode: 66,
      stdout: '',
    });
    expect(await readdir(join(getInstallation().data, 'instance_config'))).not.toContain(
      String(instance.id + 1000),
    );
  });

  const KEY = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
  const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  function pems(): string[] {
    return [KEY, CERTIFICATE, CERTIFICATE];
  }

  it.each([
    ['nothing', '', 66],
    ['no end', KEY, 66],
    ['two of three', `${KEY}\f${CERTIFICATE}\f`, 66],
    ['a certificate for a key', `${CERTIFICATE}\f${CERTIFICATE}\f${CERTIFICATE}\f`, 65],
    [
      'more than the limit',
      `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(20_000)}\n-----END PRIVATE KEY-----\n\f`,
      65,
    ],
    ['a line of configuration', `${KEY}\f${CERTIFICATE}ssl = off\n\f${CERTIFICATE}\f`, 65],
    [
      'shell',
      `${KEY}\f-----BEGIN CERTIFICATE-----\n$(id)\n-----END CERTIFICATE-----\n\f${CERTIFICATE}\f`,
      65,
    ],
    ['no word', `${pems().join('\f')}\f`, 70],
    ['another word', `${pems().join('\f')}\fopen\n`, 70],
    ['a word without its end', `${pems().join('\f')}\fkee`, 70],
  ])('changes nothing when stdin brings %s', async (_what, input, exitCode) => {
    const before = await readServed(instance);
    expect(await renew([String(instance.id)], input)).toMatchObject({ exitCode });
    expect((await readServed(instance)).fingerprint256).toBe(before.fingerprint256);
    expect(await server.api.getInstance(instance.id)).toEqual(instance);
    await expectConsistent();
  });
});
