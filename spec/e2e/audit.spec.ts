import { appendFile, chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, inject, it } from 'vitest';
import { Api } from './support/api.ts';
import { type Outcome, run, runCommand } from './support/command.ts';
import { holdLock } from './support/held-lock.ts';
import { readHostState } from './support/host-state.ts';
import { getInstallation, SERVER_USER } from './support/installation.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';

interface Entry {
  time: string;
  user: string;
  action: string;
  object?: string;
  outcome: string;
  status?: number;
}

const DEVELOPER_NAME = 'integration-test@example.com';

/** A log of its own for every test. */
let directory = '';
let file = '';
let config = '';
let count = 0;
beforeEach(async () => {
  const installation = getInstallation();
  directory = join(installation.scratch, `audit-${count++}`);
  file = join(directory, 'audit.log');
  await mkdir(directory);
  await run(['chown', `${SERVER_USER}:`, directory]);
  config = await writeServerConfig(installation, 'audited.toml');
  await writeFile(
    config,
    (await readFile(config, 'utf8')).replace(/^audit_log = .*$/m, `audit_log = "${file}"`),
  );
});

async function withServer(work: (api: Api, server: Server) => Promise<void>): Promise<void> {
  const server = await Server.start(getInstallation(), config);
  try {
    await work(new Api(getInstallation()), server);
  } finally {
    if (server.isRunning) await server.stop();
  }
}

async function readEntries(): Promise<Entry[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry);
}

/** Runs `draupnir audit` as the server's user. */
function audit(...args: string[]): Promise<Outcome> {
  const argv = [getInstallation().program, 'audit', '--config', config, ...args];
  return runCommand(argv, { user: SERVER_USER });
}

describe('the audit log', () => {
  it('has exactly one entry for each attempt, in order, and is private', async () => {
    await withServer(async (api) => {
      const image = await api.createImage('SELECT secret_of_the_script;');
      await api.finaliseImage(image.id);
      const instance = await api.createInstance(inject('e2e').imageId);
      await api.getInstance(instance.id);
      await api.send('GET', `/instances/${instance.id}?code=secret-of-the-query`, { as: 'upload' });
      await api.send('DELETE', `/images/${image.id}`);
      await api.send('GET', '/images', { as: { authorization: 'Bearer secret-of-a-stranger' } });
      await api.send('DELETE', `/instances/${instance.id}`, { as: 'none' });
      await api.listInstanceIds();
      await api.destroyInstance(instance.id);
      await api.destroyImage(image.id);
      const told = (await readEntries()).map((entry) =>
        [entry.user, entry.action, entry.object ?? '-', entry.outcome, entry.status].join(' '),
      );
      expect(told).toEqual([
        `upload image.create images/${image.id} done 201`,
        `upload image.finalise images/${image.id} refused 422`,
        `${DEVELOPER_NAME} instance.create instances/${instance.id} done 201`,
        `${DEVELOPER_NAME} instance.read instances/${instance.id} done 200`,
        `upload instance.read instances/${instance.id} refused 404`,
        `${DEVELOPER_NAME} image.destroy images/${image.id} refused 403`,
        'anonymous GET /images - refused 401',
        `anonymous instance.destroy instances/${instance.id} refused 401`,
        `upload instance.destroy instances/${instance.id} done 204`,
        `upload image.destroy images/${image.id} done 204`,
      ]);
    });
    expect(await readFile(file, 'utf8')).not.toMatch(/secret[-_]of|BEGIN|Bearer/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('has an entry for each of many at once, and for each that was answered before a kill', async () => {
    let answered = 0;
    await withServer(async (api, server) => {
      const work = async (): Promise<void> => {
        for (;;) {
          const answer = await api
            .send('DELETE', '/instances/999999999', { insecure: true })
            .catch(() => undefined);
          if (!answer) return;
          answered += 1;
          if (answered === 300) await server.kill();
        }
      };
      await Promise.all(Array.from({ length: 8 }, work));
    });
    const entries = await readEntries();
    expect(answered).toBeGreaterThanOrEqual(300);
    // Those that were entered when the kill came were not answered any more.
    expect(entries.length).toBeGreaterThanOrEqual(answered);
    expect(entries.length).toBeLessThanOrEqual(answered + 8);
    expect(new Set(entries.map(({ action }) => action))).toEqual(new Set(['instance.destroy']));
  });

  it('has an entry also when the client hung up before the answer', async () => {
    await withServer(async (api) => {
      const { id } = await api.createInstance(inject('e2e').imageId);
      await api.destroyInstance(id);
      const earlier = (await readEntries()).length;
      const release = await holdLock(`instance-${id + 1}`);
      const hangUp = new AbortController();
      const body = { data: { attributes: { image_id: inject('e2e').imageId } } };
      const asked = api.send('POST', '/instances', { body, signal: hangUp.signal });
      const gone = expect(asked).rejects.toThrow('aborted');
      await expect.poll(async () => (await readHostState()).scripts).not.toEqual([]);
      hangUp.abort();
      await gone;
      await release();
      await expect
        .poll(async () => (await readEntries()).slice(earlier), { timeout: 20_000 })
        .toMatchObject([{ action: 'instance.create', object: `instances/${id + 1}` }]);
      for (const id of await api.listInstanceIds()) await api.destroyInstance(id);
    });
  });

  it('goes on in a new file after a rotation', async () => {
    await withServer(async (api) => {
      await api.send('DELETE', '/instances/999999999');
      await rename(file, `${file}.1`);
      await api.send('DELETE', '/instances/999999998');
    });
    expect(await readEntries()).toMatchObject([{ object: 'instances/999999998' }]);
    expect(await readFile(`${file}.1`, 'utf8')).toContain('999999999');
  });

  it('keeps the server from starting when it cannot be opened', async () => {
    await chmod(directory, 0o500);
    const { exitCode, stderr } = await runCommand([getInstallation().program, 'server', '--config', config], {
      user: SERVER_USER,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`draupnir: the audit log ${file} cannot be opened (EACCES)`);
  });

  it('that cannot be written any more lets nothing be done, until it can', async () => {
    await withServer(async (api) => {
      await rm(file);
      await mkdir(file);
      const before = await api.listInstanceIds('upload');
      const body = { data: { attributes: { image_id: inject('e2e').imageId } } };
      const first = await api.send('DELETE', '/instances/999999999', { as: 'upload' });
      expect(first).toMatchObject({ status: 503, json: { id: 'audit_log_unavailable' } });
      const refused = await api.send('POST', '/instances', { as: 'upload', body });
      expect(refused).toMatchObject({ status: 503, json: { id: 'audit_log_unavailable' } });
      expect(refused.headers['retry-after']).toBeDefined();
      expect(await api.listInstanceIds('upload')).toEqual(before);
      expect((await api.send('GET', '/images')).status).toBe(200);
      await rm(file, { recursive: true });
      const { id } = await api.createInstance(inject('e2e').imageId, 'upload');
      await api.destroyInstance(id);
    });
    expect((await readEntries()).map(({ action }) => action)).toEqual([
      'instance.create',
      'instance.destroy',
    ]);
  });
});

describe('draupnir audit', () => {
  beforeEach(async () => {
    await withServer(async (api) => {
      await api.send('DELETE', '/instances/999999999');
      await api.send('GET', '/instances/999999998', { as: 'upload' });
    });
  });

  it('shows a table', async () => {
    const { exitCode, stdout, stderr } = await audit();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const [head, first, second, ...rest] = stdout.split('\n');
    expect(head?.split(/ +/)).toEqual(['TIME', 'USER', 'MEANS', 'ADDRESS', 'ACTION', 'OBJECT', 'OUTCOME']);
    expect(first?.split(/ +/).slice(1)).toEqual([
      ...[DEVELOPER_NAME, 'test_token', '127.0.0.1', 'instance.destroy', 'instances/999999999'],
      ...['refused', '404', 'resource_not_found'],
    ]);
    expect(second).toContain('shared_secret');
    expect(rest).toEqual(['']);
  });

  it('writes JSON lines, chosen by user and time, and tells damaged lines', async () => {
    await appendFile(file, 'damaged\n');
    const { exitCode, stdout, stderr } = await audit('--json', '--user', 'upload', '--since', '1h');
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`${(await readFile(file, 'utf8')).split('\n')[1] ?? ''}\n`);
    expect(stderr).toBe(`${file}: line 3 is damaged\n`);
    expect((await audit('--json', '--since', '2100-01-01')).stdout).toBe('');
  });

  it('says what is wrong with its options, or with the file', async () => {
    expect(await audit('--since', 'yesterday')).toMatchObject({ exitCode: 64, stdout: '' });
    await rm(file);
    const { exitCode, stderr } = await audit('--json');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(file);
  });
});
