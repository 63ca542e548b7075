import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { type Instance, VERSION } from './support/api.ts';
import { run, runCommand } from './support/command.ts';
import { confineToIpv4, HIDDEN_PROCESSES } from './support/confinements.ts';
import { diagnose } from './support/doctor.ts';
import { query } from './support/instance-client.ts';
import { DEVELOPER, getInstallation } from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { Namespace } from './support/namespace.ts';
import { signal } from './support/processes.ts';
import { type Confinement, Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const server = useServer({ everywhere: true });

/** Replaces the server by one on such a host, for as long as `work` takes. */
async function onHost(confinement: Confinement, work: (confined: Server) => Promise<void>): Promise<void> {
  const config = await writeServerConfig(getInstallation(), 'host.toml', { everywhere: true });
  expect(await server.process.stop()).toBe(0);
  const confined = await Server.start(getInstallation(), config, confinement);
  try {
    await work(confined);
  } finally {
    expect(await confined.stop()).toBe(0);
    await server.start();
  }
}

const getPostmaster = async ({ id }: Instance): Promise<number> =>
  Number(await readFile(join(getInstallation().run, 'instances', `${id}.pid`), 'utf8'));

describe('a volume whose metadata cannot grow', () => {
  it('takes no new work, and the answer and doctor name the command that helps', async () => {
    const { data, scratch } = getInstallation();
    const image = join(scratch, 'metadata.img');
    await run(['truncate', '-s', '1G', image]);
    await run(['mkfs.btrfs', '-q', '-m', 'single', '-d', 'single', image]);
    await run(['mount', '-o', 'loop,nodev,nosuid,noexec', image, data]);
    try {
      // All space is allocated to data, most of which is then free in chunks that are not empty.
      await run(['bash', '-c', FILL, 'bash', data]);
      const { status, json } = await server.api.send('POST', '/images', { as: 'upload', body: IMAGE });
      expect({ status, json }).toMatchObject({ status: 507, json: { id: 'insufficient_disk' } });
      const { detail } = json as { detail: string };
      const command = ['btrfs', 'balance', 'start', '-dusage=50', data];
      expect(detail).toMatch(
        /^the volume has no space for metadata, though [0-9.]+ [MG]iB are free for data; /,
      );
      expect(detail).toContain(`tell the operator to run: ${command.join(' ')}`);
      const { findings } = await diagnose();
      expect(findings.map(({ hint }) => hint)).toContain(`run as root: ${command.join(' ')}`);
    } finally {
      await run(['umount', data]);
    }
  });
});

const FILL = `for i in {1..300}; do head -c 4M /dev/zero >"$1/file-$i" 2>/dev/null || break; done; sync -f "$1"
  find "$1" -name 'file-*[1-9]' -delete; sync -f "$1"`;

const IMAGE = {
  data: {
    type: 'images',
    attributes: { backed_up_at: '2026-05-01T12:00:00Z', anonymisation_script: 'SELECT 1;' },
  },
};

describe('an instance', () => {
  it('takes no huge pages, which are outside of its memory limit', async () => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    expect(await query(instance, 'SHOW huge_pages')).toEqual(['off']);
  });
});

describe('a host on which /proc hides the processes of other users', () => {
  it('has its instances started again when their Postgres was killed', async () => {
    await onHost(HIDDEN_PROCESSES, async (confined) => {
      await confined.waitForLines(({ msg }) => msg === 'the state of processes of other users is hidden');
      const instance = await server.api.createInstance(inject('e2e').imageId);
      const killed = await getPostmaster(instance);
      signal(killed, 'SIGKILL');

      await waitUntil('it has another Postgres', async () => (await getPostmaster(instance)) !== killed);
      const [line] = await confined.waitForLines(({ msg }) => msg === 'started instance');
      expect(line).toMatchObject({ instanceId: instance.id, attempts: 1 });
      expect(await query(instance, 'SELECT 42')).toEqual([42]);
    });
  });
});

describe('a host without IPv6', () => {
  it('serves the API and instances by IPv4', async () => {
    const namespace = await Namespace.create('ipv4');
    const confinement = await confineToIpv4(namespace);
    const probe = `require('node:net').createServer().listen(0, '::').on('error', (e) => console.log(e.code))`;
    const refused = await runCommand(confinement.inside([process.execPath, '-e', probe]));
    expect(refused.stdout).toBe('EAFNOSUPPORT\n');

    await onHost(confinement, async () => {
      // Another address than the one at which it was waited for: it listens on all.
      const url = `http://127.0.0.2:${getInstallation().httpPort}/instances`;
      const headers = { 'draupnir-version': VERSION, authorization: `Bearer ${DEVELOPER}` };
      const attributes = { image_id: inject('e2e').imageId };
      const body = JSON.stringify({ data: { type: 'instances', attributes } });
      const reply = await namespace.evaluate(REQUEST, url, JSON.stringify({ method: 'POST', headers, body }));
      expect(reply).toMatchObject({ data: { attributes } });
      const { port } = (reply as { data: { attributes: { port: number } } }).data.attributes;
      expect(await namespace.connect('127.0.0.1', port)).toBe('connected');
    });
    await server.api.destroyInstance(Number(await queryMetadata('SELECT max(id) FROM instances')));
    await namespace.remove();
  });
});

const REQUEST = `
  const [url, options] = process.argv.slice(1);
  fetch(url, JSON.parse(options)).then((answer) => answer.text()).then((text) => console.log(text));
`;
