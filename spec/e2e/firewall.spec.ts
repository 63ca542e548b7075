import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Instance, VERSION } from './support/api.ts';
import type { Outcome } from './support/command.ts';
import { readHostState } from './support/host-state.ts';
import { CHAIN_PREFIX, DEVELOPER, getInstallation } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { Namespace } from './support/namespace.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';
import { waitUntil } from './support/wait.ts';

/** Addresses of the server's host as its neighbours know it, and theirs. */
const HOST = {
  ally: { 4: '10.77.1.1', 6: 'fd77:1::1' },
  stranger: { 4: '10.77.2.1', 6: 'fd77:2::1' },
} as const;
const ALLY = { 4: '10.77.1.2', 6: 'fd77:1::2' } as const;
const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];

const CHAIN = `${CHAIN_PREFIX}-WHITELIST`;
const NETWORK = `enable_ip_whitelisting = true
whitelist_reconcile_interval = "500ms"
whitelist_address_ttl = "1h"`;

/** A host with two neighbours: one of them is the developer's, the other is anybody's. */
let host: Namespace;
let ally: Namespace;
let stranger: Namespace;
let server: Server;
const servers: Server[] = [];

async function start(): Promise<void> {
  const installation = getInstallation();
  const config = await writeServerConfig(installation, 'firewall.toml', {
    everywhere: true,
    network: NETWORK,
  });
  server = await Server.start(installation, config, host);
  servers.push(server);
}

beforeAll(async () => {
  [host, ally, stranger] = [
    await Namespace.create('host'),
    await Namespace.create('ally'),
    await Namespace.create('stranger'),
  ];
  await Namespace.join(host, ally, 'ally', [
    [`${HOST.ally[4]}/24`, `${ALLY[4]}/24`],
    [`${HOST.ally[6]}/64`, `${ALLY[6]}/64`],
  ]);
  await Namespace.join(host, stranger, 'stranger', [
    [`${HOST.stranger[4]}/24`, '10.77.2.2/24'],
    [`${HOST.stranger[6]}/64`, 'fd77:2::2/64'],
  ]);
  await start();
});

afterAll(async () => {
  if (server.isRunning) expect(await server.stop()).toBe(0);
  for (const namespace of [host, ally, stranger]) await namespace.remove();
});

interface Reply {
  status: number;
  body: unknown;
}

const REQUEST = `
  const { url, ...options } = JSON.parse(process.argv[1]);
  fetch(url, options)
    .then(async (answer) => ({ status: answer.status, body: JSON.parse((await answer.text()) || 'null') }))
    .then((reply) => console.log(JSON.stringify(reply)));
`;

/** A request of the developer from the ally's host. */
async function send(
  method: string,
  path: string,
  options: { family?: Family; body?: unknown } = {},
): Promise<Reply> {
  const { family = 4, body } = options;
  const address = family === 4 ? HOST.ally[4] : `[${HOST.ally[6]}]`;
  const url = `http://${address}:${getInstallation().httpPort}${path}`;
  const headers = { 'draupnir-version': VERSION, authorization: `Bearer ${DEVELOPER}` };
  const request = { url, method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
  return (await ally.evaluate(REQUEST, JSON.stringify(request))) as Reply;
}

const requestInstance = (): Promise<Reply> =>
  send('POST', '/instances', {
    body: { data: { type: 'instances', attributes: { image_id: String(inject('e2e').imageId) } } },
  });

async function createInstance(): Promise<Instance> {
  const { status, body } = await requestInstance();
  expect(status).toBe(201);
  const { data, included } = body as {
    data: { id: string; attributes: { image_id: number; port: number; created_at: string } };
    included: [{ attributes: { ca_certificate: string; client_certificate: string; client_key: string } }];
  };
  const { ca_certificate: ca, client_certificate: cert, client_key: key } = included[0].attributes;
  const { image_id: imageId, port, created_at: createdAt } = data.attributes;
  return { id: Number(data.id), imageId, port, createdAt, credentials: { ca, cert, key } };
}

async function destroy({ id }: Instance): Promise<void> {
  expect((await send('DELETE', `/instances/${id}`)).status).toBe(204);
}

/** A query over mutual TLS by psql, from the ally's host unless said otherwise. */
async function query(instance: Instance, family: Family, from = ally): Promise<Outcome> {
  const dir = await mkdtemp(join(getInstallation().scratch, 'psql-'));
  const files = { ca: join(dir, 'ca.crt'), cert: join(dir, 'client.crt'), key: join(dir, 'client.key') };
  for (const name of ['ca', 'cert', 'key'] as const) {
    await writeFile(files[name], instance.credentials[name], { mode: 0o600 });
  }
  return from.runCommand(['psql', '-X', '-A', '-t', '-w', '-c', 'SELECT 6 * 7'], {
    env: {
      PGHOST: 'localhost',
      PGHOSTADDR: (from === stranger ? HOST.stranger : HOST.ally)[family],
      PGPORT: String(instance.port),
      PGUSER: 'draupnir',
      PGDATABASE: 'shop',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: files.ca,
      PGSSLCERT: files.cert,
      PGSSLKEY: files.key,
      PGCONNECT_TIMEOUT: '10',
    },
  });
}

const listRules = (): Promise<string[]> =>
  Promise.all(['iptables', 'ip6tables'].map((family) => host.run([family, '-S'])));

async function expectRefused(
  from: Namespace,
  { port }: Instance,
  families: readonly Family[] = FAMILIES,
): Promise<void> {
  const addresses = from === stranger ? HOST.stranger : HOST.ally;
  for (const family of families) expect(await from.connect(addresses[family], port)).toBe('ECONNREFUSED');
}

/** The readiness as the host itself sees it. */
const getReadiness = async (): Promise<Reply> =>
  (await host.evaluate(
    REQUEST,
    JSON.stringify({ url: `http://127.0.0.1:${getInstallation().httpPort}/ready` }),
  )) as Reply;

/** Makes the firewall fail as long as the work lasts. */
async function whileFirewallFails(work: () => Promise<void>): Promise<void> {
  const script = join(getInstallation().scripts, 'draupnir-apply-firewall');
  await chmod(script, 0o644);
  try {
    await work();
  } finally {
    await chmod(script, 0o755);
  }
}

describe('an instance behind the firewall', () => {
  it('is reached from the address that asked for it, of that family, and from nowhere else', async () => {
    const instance = await createInstance();
    expect(await query(instance, 4)).toMatchObject({ exitCode: 0, stdout: '42\n' });
    await expectRefused(ally, instance, [6]);
    // With the credentials, but from elsewhere.
    for (const family of FAMILIES) {
      const { exitCode, stderr } = await query(instance, family, stranger);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('Connection refused');
    }
    await expectRefused(stranger, instance);
    await destroy(instance);
  });

  it('is reached from a further address once its owner has asked from there', async () => {
    const instance = await createInstance();
    expect((await send('GET', `/instances/${instance.id}`, { family: 6 })).status).toBe(200);
    for (const family of FAMILIES) {
      expect(await query(instance, family)).toMatchObject({ exitCode: 0, stdout: '42\n' });
    }
    await expectRefused(stranger, instance);
    await destroy(instance);
  });

  it('is reached by nobody once it is destroyed, and its rules are gone with the answer', async () => {
    const before = await listRules();
    const instance = await createInstance();
    await send('GET', `/instances/${instance.id}`, { family: 6 });
    expect((await listRules()).join()).toContain(`--dport ${instance.port} `);
    await destroy(instance);
    expect(await listRules()).toEqual(before);
    for (const from of [ally, stranger]) await expectRefused(from, instance);
  });

  it('is one of many that are made and destroyed at once', async () => {
    const before = await listRules();
    const instances = await Promise.all(Array.from({ length: 6 }, createInstance));
    for (const instance of instances) {
      expect(await ally.connect(HOST.ally[4], instance.port)).toBe('connected');
      await expectRefused(stranger, instance, [4]);
    }
    await Promise.all(instances.map(destroy));
    expect(await listRules()).toEqual(before);
  });

  it.each([
    [
      'the chain is flushed',
      [
        ['iptables', '-F', CHAIN],
        ['ip6tables', '-F', CHAIN],
      ],
    ],
    [
      'INPUT is flushed',
      [
        ['iptables', '-F', 'INPUT'],
        ['ip6tables', '-F', 'INPUT'],
      ],
    ],
    [
      'everybody is let in',
      [
        ['iptables', '-I', CHAIN, '-j', 'ACCEPT'],
        ['ip6tables', '-I', CHAIN, '-j', 'ACCEPT'],
      ],
    ],
    ['the ruleset is flushed', [['nft', 'flush', 'ruleset']]],
  ])('is guarded again after %s', async (_case, deeds) => {
    const instance = await createInstance();
    await send('GET', `/instances/${instance.id}`, { family: 6 });
    const before = await listRules();
    for (const deed of deeds) await host.run(deed);
    await waitUntil('the rules are back', async () => (await listRules()).join() === before.join());
    await expectRefused(stranger, instance);
    expect(await query(instance, 6)).toMatchObject({ exitCode: 0, stdout: '42\n' });
    await destroy(instance);
  });

  it('is reached no more from an address that was not seen for long, until it is seen again', async () => {
    const instance = await createInstance();
    const address = `instance_id = ${instance.id}`;
    await queryMetadata(
      `UPDATE whitelisted_addresses SET updated_at = now() - interval '61 minutes' WHERE ${address}`,
    );
    await waitUntil('the address is forgotten', async () =>
      (await listRules()).every((rules) => !rules.includes(`--dport ${instance.port} `)),
    );
    expect(await queryMetadata(`SELECT count(*) FROM whitelisted_addresses WHERE ${address}`)).toBe('0');
    await expectRefused(ally, instance);
    expect((await send('GET', `/instances/${instance.id}`)).status).toBe(200);
    expect(await query(instance, 4)).toMatchObject({ exitCode: 0 });
    await destroy(instance);
  });

  it('is guarded before the API answers, after a restart without any rules', async () => {
    const instance = await createInstance();
    const before = await listRules();
    await server.kill();
    await host.run(['nft', 'flush', 'ruleset']);
    await start();
    expect(await listRules()).toEqual(before);
    await expectRefused(stranger, instance);
    expect(await query(instance, 4)).toMatchObject({ exitCode: 0, stdout: '42\n' });
    await destroy(instance);
  });
});

describe('a firewall that fails', () => {
  it('makes the server unready and refuses new instances, which leave nothing; then all goes on', async () => {
    expect(await getReadiness()).toEqual({ status: 200, body: { status: 'ok' } });
    const instance = await createInstance();
    // The script that keeps the rules may or may not be at it.
    const look = async () => ({ ...(await readHostState()), scripts: [] });
    const [before, rules] = [await look(), await listRules()];
    await whileFirewallFails(async () => {
      await waitUntil('the server is unready', async () => (await getReadiness()).status === 503);
      expect((await getReadiness()).body).toEqual({
        status: 'unavailable',
        parts: {
          firewall: { status: 'failing', detail: 'the rules cannot be applied: see the log' },
        },
      });
      for (const refused of [requestInstance(), send('GET', `/instances/${instance.id}`)]) {
        expect(await refused).toMatchObject({
          status: 503,
          body: {
            id: 'firewall_unavailable',
            detail: 'the firewall cannot be changed: ask again, and tell the operator',
          },
        });
      }
      expect(await look()).toEqual(before);
      expect(await listRules()).toEqual(rules);
      // What is there goes on as before.
      expect(await query(instance, 4)).toMatchObject({ exitCode: 0 });
      await destroy(instance);
    });
    const next = await createInstance();
    expect(await getReadiness()).toEqual({ status: 200, body: { status: 'ok' } });
    await destroy(next);
    await waitUntil('no rule is left', async () => !(await listRules()).join().includes('user:'));
  });

  it('keeps a server unready that starts with it', async () => {
    expect(await server.stop()).toBe(0);
    await whileFirewallFails(async () => {
      await start();
      expect((await getReadiness()).status).toBe(503);
    });
    await waitUntil('the server is ready', async () => (await getReadiness()).status === 200);
  });
});

describe('the log', () => {
  it('tells that others have changed the rules, and each failure once', async () => {
    const lines = (await Promise.all(servers.map((each) => each.readLog()))).flat();
    const warned = lines.filter(({ msg }) => msg === 'firewall rules were changed by others; put right');
    expect(warned.length).toBeGreaterThanOrEqual(4);
    const errors = lines.filter(({ level }) => level === 'error' || level === 'fatal');
    expect(errors.map(({ msg, part }) => ({ msg, part }))).toEqual([
      { msg: 'fails', part: 'firewall' },
      { msg: 'fails', part: 'firewall' },
    ]);
  });
});
