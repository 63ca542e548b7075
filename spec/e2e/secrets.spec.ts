import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { FakeGoogle } from '../support/google.ts';
import { FakeSentry } from '../support/sentry.ts';
import { Api, type ApiRequest, type Instance } from './support/api.ts';
import { run, runCommand } from './support/command.ts';
import { readHostState } from './support/host-state.ts';
import { getInstallation, SECRET } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';
import { PLANTED_EMAIL } from './support/source.ts';
import { upload } from './support/upload.ts';
import { waitUntil } from './support/wait.ts';

// Of this run alone: other runs, and sources of tests, must not be found.
const RUN = randomUUID();
const DATABASE_PASSWORD = `planted-database-password-${RUN}`;
const SCRIPT_PASSWORD = `planted-script-password-${RUN}`;
const GARBAGE_TOKEN = `planted-token-${RUN}`;
const QUERY = `planted-query-${RUN}`;
const BODY = `planted-body-${RUN}`;
/** Those that other runs plant as well. */
const COMMON = [
  'shared secret',
  'client secret of the provider',
  'row of production',
  'sentry key',
  'state of a sign-in',
];
const STATE = 'planted-state-0123456789abcdefghijklmnopqrstuvwxyz';
/** Fails with a message that quotes a row of production, once the script's own secret was used. */
const FAILING = `\\c shop
CREATE ROLE planted PASSWORD '${SCRIPT_PASSWORD}';
DO $$ BEGIN RAISE EXCEPTION 'row %', (SELECT c FROM customers c WHERE id = 1); END $$;
`;
const SUCCEEDING = `\\c shop
CREATE ROLE planted PASSWORD '${SCRIPT_PASSWORD}';
UPDATE customers SET name = 'Customer ' || id, email = 'customer-' || id || '@anonymous.invalid';
`;

let google: FakeGoogle;
let sentry: FakeSentry;
let server: Server;
let api: Api;
/** What must be found nowhere, by what it is. */
const planted = new Map<string, string>();
/** Answers that went to somebody else than the owner of what is in them. */
const others: string[] = [];
let watch: Promise<string>;
let watching = true;

beforeAll(async () => {
  const installation = getInstallation();
  google = await FakeGoogle.start();
  sentry = await FakeSentry.start();
  const file = await writeServerConfig(installation, 'secrets.toml', {
    environment: 'secrets',
    provider: google,
  });
  const toml = (await readFile(file, 'utf8')).replace(
    /^database_url = "(.*)"$/m,
    `database_url = "$1 password=${DATABASE_PASSWORD}"`,
  );
  await writeFile(file, `log_level = "trace"\nsentry_dsn = "${sentry.dsn}"\n${toml}`);
  watch = watchProcesses();
  server = await Server.start(installation, file);
  api = new Api(installation);
  await live();
  watching = false;
}, 240_000);

afterAll(async () => {
  if (server.isRunning) await server.stop();
  await google.stop();
  await sentry.stop();
});

/** Everything that people do with a server, and what goes wrong. */
async function live(): Promise<void> {
  const installation = getInstallation();
  planted.set('shared secret', SECRET);
  planted.set('database password', DATABASE_PASSWORD);
  planted.set('client secret of the provider', google.clientSecret);
  planted.set('sentry key', 'planted_dsn_key');
  planted.set('password in a script', SCRIPT_PASSWORD);
  planted.set('row of production', PLANTED_EMAIL);
  planted.set('encryption key', (await readFile(join(installation.state, 'encryption.key'), 'utf8')).trim());

  const ada = await signIn();
  planted.set('token of a session', ada);
  for (const grant of google.grants) planted.set('refresh token of the provider', grant);
  const old = google.grant({ email: 'bob@example.com', verified: true });
  planted.set('refresh token that a client holds', old);
  const asAda = { authorization: `Bearer ${ada}` };
  const asBob = { authorization: `Bearer ${old}` };

  const { id } = await api.createImage(FAILING);
  await upload(id, inject('e2e').backup);
  const failed = await api.finaliseImage(id);
  expect(failed.status).toBe(422);
  others.push(failed.text);
  const good = await api.createImage(SUCCEEDING);
  await upload(good.id, inject('e2e').backup);
  expect((await api.finaliseImage(good.id)).status).toBe(200);

  const instance = await api.createInstance(good.id, asAda);
  await plantCredentials(instance);
  for (const as of [asBob, 'upload', 'none'] as const) await lookAround(as, instance.id);
  google.faults.token = 'error';
  await lookAround({ authorization: `Bearer ${GARBAGE_TOKEN}` }, instance.id);
  google.faults.token = undefined;
  planted.set('token of a stranger', GARBAGE_TOKEN);
  await api.send('GET', `/images?token=${QUERY}`, { as: asAda });
  planted.set('query string', QUERY);
  await api.send('POST', '/images', { as: 'upload', body: `{"${BODY}` });
  planted.set('broken body', BODY);

  planted.set('access token of the provider', google.accessTokens[0] ?? '');

  // A crash in the middle of a creation, and the server that finishes what it left.
  const half = api.createInstance(good.id, asAda).catch(() => undefined);
  await waitUntil('the creation is under way', async () => (await readHostState()).scripts.length > 0);
  await server.kill();
  await half;
  server = await Server.start(installation, join(installation.dir, 'secrets.toml'));
  for (const left of await api.listInstanceIds(asAda)) await api.destroyInstance(left);
  for (const each of [id, good.id]) await api.destroyImage(each);
}

/** What somebody sees who may not see it. */
async function lookAround(as: NonNullable<ApiRequest['as']>, instanceId: number): Promise<void> {
  for (const path of ['/images?fields[images]=status,failure', '/instances', `/instances/${instanceId}`])
    others.push((await api.send('GET', path, { as })).text);
}

async function plantCredentials({ id, credentials }: Instance): Promise<void> {
  // A line out of the middle: a log would break the whole up.
  planted.set('key of a client', credentials.key.split('\n')[1] ?? '');
  const file = join(getInstallation().data, 'instance_config', String(id), 'server.key');
  planted.set('key of an instance', (await readFile(file, 'utf8')).split('\n')[1] ?? '');
}

/** Signs in as the account at the browser; the token of ours. */
async function signIn(): Promise<string> {
  const body = { data: { type: 'access_tokens', attributes: { state: STATE } } };
  const waiting = api.send('POST', '/access_tokens', { as: 'none', body });
  const begun = await api.send('GET', `/authenticate?state=${STATE}`, { as: 'none' });
  const back = await google.consent(begun.headers.location ?? '');
  planted.set('code of the provider', back.searchParams.get('code') ?? '');
  planted.set('state of a sign-in', STATE);
  others.push((await api.send('GET', back.pathname + back.search, { as: 'none' })).text);
  const token = (await waiting).json as { refresh_token: string; access_token: string };
  planted.set('access token of a session', token.access_token);
  return token.refresh_token;
}

/** Arguments and environments of all processes but ours, from now until the work is over. */
async function watchProcesses(): Promise<string> {
  const seen = new Set<string>();
  while (watching) {
    const pids = (await readdir('/proc')).filter(
      (name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid,
    );
    for (const pid of pids) {
      for (const file of ['cmdline', 'environ']) {
        const text = await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
        if (text !== '') seen.add(text);
      }
    }
    await breathe();
  }
  return [...seen].join('\n');
}

function findPlanted(text: string): string[] {
  return [...planted].filter(([, value]) => text.includes(value)).map(([name]) => name);
}

/** Files, also below folders, that hold one of the values, all but those named in `but`. */
async function grep(places: string[], but: string[] = []): Promise<string[]> {
  const { scratch } = getInstallation();
  const wanted = [...planted].flatMap(([name, value]) => (but.includes(name) ? [] : [value]));
  // By files: neither values nor places are to be arguments, of which there can be too many too.
  const list = join(scratch, `places-${RUN}`);
  const values = join(scratch, `values-${RUN}`);
  await writeFile(list, places.join('\0'));
  await writeFile(values, wanted.join('\n'), { mode: 0o600 });
  const argv = ['xargs', '-0', '-a', list, 'grep', '-rlaFs', '--devices=skip', '-f', values];
  const { stdout } = await runCommand(argv);
  await rm(values);
  return stdout.split('\n').filter(Boolean);
}

describe('secrets and rows of production', () => {
  it('are all planted', () => {
    expect(planted.size).toBe(19);
    for (const [name, value] of planted) expect(value.length, name).toBeGreaterThan(10);
  });

  it('are not in the log of the server, at level trace, nor in the audit log', async () => {
    const { logs, state } = getInstallation();
    const texts = await Promise.all((await readdir(logs)).map((name) => readFile(join(logs, name), 'utf8')));
    const log = texts.filter((text) => text.includes('"environment":"secrets"')).join('\n');
    expect(log).toContain('created instance');
    expect(findPlanted(log)).toEqual([]);
    const audit = await readFile(join(state, 'audit.log'), 'utf8');
    expect(audit).toContain('ada@example.com');
    expect(findPlanted(audit)).toEqual([]);
  });

  it('were not in the arguments or the environment of any process', async () => {
    const seen = await watch;
    expect(seen).toContain('draupnir-create-instance');
    expect(findPlanted(seen)).toEqual([]);
  });

  it('were not told to anybody else', () => {
    expect(others.length).toBeGreaterThan(10);
    expect(findPlanted(others.join('\n'))).toEqual([]);
  });

  it('are not in temporary files, nor in what is kept of images and instances', async () => {
    const { run: runPath, data, dir } = getInstallation();
    // The shared image stays; its upload has been removed, and its rows are anonymised.
    const kept = [runPath, data, join(dir, 'state')];
    expect(await grep(kept)).toEqual([join(dir, 'state/encryption.key')]);
    // One file that must be found, so that nothing found means something.
    const witness = join('/tmp', `witness-${RUN}`);
    await writeFile(witness, '');
    const found = await run([
      ...['find', '/tmp', '/var/tmp', '/dev/shm', '-xdev', '-type', 'f'],
      ...['-size', '-51200k', '-newer', join(dir, 'secrets.toml'), '-print0'],
    ]);
    await rm(witness);
    expect(found.split('\0')).toContain(witness);
    expect(await grep(found.split('\0').filter(Boolean), COMMON)).toEqual([]);
  });

  it('are in the database only as hashes and sealed', async () => {
    const rows = await queryMetadata(
      `SELECT s::text, encode(google_refresh_token, 'escape') FROM sessions s`,
    );
    expect(rows).toContain('ada@example.com');
    expect(findPlanted(rows)).toEqual([]);
    const instances = await queryMetadata('SELECT i::text FROM instances i');
    expect(findPlanted(instances)).toEqual([]);
  });

  it('are in no file that anybody may read', async () => {
    const { dir, state } = getInstallation();
    const found = await run([
      'find',
      dir,
      '-xdev',
      '-type',
      'f',
      '-perm',
      '/o=r',
      '-size',
      '-1024k',
      '-print0',
    ]);
    // The clusters that stand for production are no part of an installation.
    const files = found.split('\0').filter((name) => name !== '' && !name.startsWith(join(dir, 'sources')));
    expect(files.length).toBeGreaterThan(10);
    expect(await grep(files)).toEqual([]);
    expect(
      (await run(['stat', '-c', '%a', join(state, 'encryption.key'), join(state, 'audit.log')])).trim(),
    ).toBe('600\n600');
  });

  it('are not sent to Sentry, which gets the errors', () => {
    const reported = sentry.events.map(({ tags }) => `${tags.error_id} ${tags.route ?? tags.step}`);
    expect(reported).toContain('finalise_failed anonymise');
    expect(reported).toContain('identity_provider_unavailable /images');
    expect(sentry.events.every(({ environment }) => environment === 'secrets')).toBe(true);
    // The key of its project is how a report is authorised.
    const text = sentry.received.join('\n').replaceAll('sentry_key=planted_dsn_key', '');
    expect(findPlanted(text)).toEqual([]);
  });

  it('are not kept back by a Sentry that hangs: requests are answered, and the server stops', async () => {
    sentry.fault = 'hangs';
    google.faults.token = 'error';
    const before = sentry.received.length;
    const as = { authorization: `Bearer ${randomUUID()}` };
    // A kind of error that has not been reported yet.
    expect((await api.send('DELETE', '/instances/1', { as })).status).toBe(503);
    await sentry.waitForRequests(before + 1);
    const stopping = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - stopping).toBeLessThan(3000);
  });
});
