import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { VERSION } from './support/api.ts';
import { type Diagnosis, summarise } from './support/doctor.ts';
import { CHAIN_PREFIX, getInstallation, SECRET } from './support/installation.ts';
import { Namespace } from './support/namespace.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';

const CONFIG = 'doctor-firewall.toml';
const CHAIN = `${CHAIN_PREFIX}-WHITELIST`;

/** The server's host: what happens to its rules happens to nobody else. It puts them right only when it starts. */
let host: Namespace;
let server: Server;
let id = 0;

const REQUEST = `
  const { url, ...options } = JSON.parse(process.argv[1]);
  fetch(url, options).then(async (answer) => console.log((await answer.text()) || 'null'));
`;

function send(method: string, path: string, body?: unknown): Promise<unknown> {
  const url = `http://127.0.0.1:${getInstallation().httpPort}${path}`;
  const headers = { 'draupnir-version': VERSION, authorization: `Bearer ${SECRET}` };
  const request = { url, method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
  return host.evaluate(REQUEST, JSON.stringify(request));
}

async function start(): Promise<void> {
  const network = 'enable_ip_whitelisting = true\nwhitelist_reconcile_interval = "1h"';
  const installation = getInstallation();
  server = await Server.start(
    installation,
    await writeServerConfig(installation, CONFIG, { network, everywhere: true }),
    host,
  );
}

async function diagnose(): Promise<Diagnosis> {
  const { program, dir } = getInstallation();
  const { stdout } = await host.runCommand([program, 'doctor', '--json', '--config', join(dir, CONFIG)]);
  return JSON.parse(stdout) as Diagnosis;
}

beforeAll(async () => {
  host = await Namespace.create('doctor');
  await start();
  const attributes = { image_id: inject('e2e').imageId };
  const made = await send('POST', '/instances', { data: { type: 'instances', attributes } });
  id = Number((made as { data: { id: string } }).data.id);
});

afterAll(async () => {
  await send('DELETE', `/instances/${id}`);
  expect(await server.stop()).toBe(0);
  await host.remove();
});

describe('doctor on a host whose server guards the ports', () => {
  it('finds nothing while the rules are those of the records', async () => {
    expect(await diagnose()).toMatchObject({ ok: true, checked: { I1: 1, I5: 1 }, findings: [] });
  });

  it.each([
    ['a rule is gone', ['iptables', '-D', CHAIN, '3'], `IPv4: lacks a rule: -A ${CHAIN} -s 127.0.0.1/32 `],
    [
      'a chain is empty',
      ['ip6tables', '-F', CHAIN],
      'IPv6: does not begin or end with the rules that refuse',
    ],
    [
      'the chain is not called first',
      ['iptables', '-I', 'INPUT', '-j', 'ACCEPT'],
      'IPv4: is not called by the first',
    ],
    [
      'somebody else is let in',
      ['ip6tables', '-I', CHAIN, '3', '-s', '2001:db8::7', '-j', 'ACCEPT'],
      `IPv6: has a rule that no record asks for: -A ${CHAIN} -s 2001:db8::7/128 -j ACCEPT`,
    ],
  ])('tells when %s, until the server has put it right', async (_what, damage, expected) => {
    await host.run(damage);
    const diagnosis = await diagnose();
    expect(diagnosis.ok).toBe(false);
    expect(summarise(diagnosis)).toEqual([expect.stringContaining(`I5 chain ${CHAIN}, ${expected}`)]);
    expect(await server.stop()).toBe(0);
    await start();
    expect(await diagnose()).toMatchObject({ ok: true, findings: [] });
  });
});
