import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { Attacker } from './support/attacker.ts';
import { Bystander } from './support/bystander.ts';
import { diagnose } from './support/doctor.ts';
import { hashHostFiles, listStrayFiles } from './support/host-files.ts';
import { type HostState, listListeningPorts, readHostState } from './support/host-state.ts';
import { connect, query } from './support/instance-client.ts';
import { getInstallation, INSTANCE_UID_BASE } from './support/installation.ts';
import { listProcessesOf } from './support/processes.ts';
import { callScript } from './support/script.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

// What an attack has ended is not to be started again while the test looks at it.
const server = useServer({ network: 'block_instance_egress = false\nreconcile_interval = "1h"' });
let bystander: Bystander;
let before: HostState;
let files: Record<string, string>;

beforeAll(async () => {
  bystander = new Bystander(await server.api.createInstance(inject('e2e').imageId));
  before = await readHostState();
  files = await hashHostFiles(bystander.instance.id);
});

// A hook that throws would keep those after it from running: what is expected is in the last test.
afterAll(() => bystander.stop());

async function createAttacker(): Promise<Attacker> {
  return Attacker.create(await server.api.createInstance(inject('e2e').imageId));
}

async function waitForAnswer(instance: Instance): Promise<void> {
  await waitUntil('the instance answers', () => query(instance, 'SELECT 1').catch(() => undefined));
}

describe('settings that a superuser leaves in the data directory', () => {
  it('open nothing, neither by a reload nor after a restart', async () => {
    const attacker = await createAttacker();
    const { instance } = attacker;
    const data = join(getInstallation().data, 'instances', String(instance.id));
    const ports = await listListeningPorts();
    await attacker.shell(`cat >'${data}/pg_hba.conf' <<<'host all all all trust'
      openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=evil -keyout '${data}/evil.key' -out '${data}/evil.crt'
      echo "drp /.* postgres" >'${data}/pg_ident.conf'
      for setting in "ssl = off" "port = ${instance.port + 1}" "hba_file = '${data}/pg_hba.conf'" \\
        "ident_file = '${data}/pg_ident.conf'" "ssl_ca_file = '${data}/evil.crt'" "ssl_cert_file = '${data}/evil.crt'" \\
        "ssl_key_file = '${data}/evil.key'" "unix_socket_directories = '/tmp'" "unix_socket_permissions = 0777" \\
        "cluster_name = 'draupnir-instance-${bystander.instance.id}'" "max_connections = 5000"
      do echo "$setting"; done >>'${data}/postgresql.auto.conf'`);
    await attacker.client.query('SELECT pg_reload_conf()');
    await attacker.client.query(`ALTER SYSTEM SET listen_addresses = 'localhost'`);
    await attacker.end();

    for (const restart of [false, true]) {
      if (restart) {
        // Only a server opens an instance, after it has proven who gets in.
        expect(await server.process.stop()).toBe(0);
        expect(await callScript('draupnir-stop-instance', [String(instance.id)])).toMatchObject({
          exitCode: 0,
        });
        await server.start();
      }
      await waitForAnswer(instance);
      await expect(connect(instance, { tls: false })).rejects.toMatchObject({ code: '28000' });
      await expect(connect(instance, { user: 'postgres' })).rejects.toMatchObject({ code: '28000' });
      const tls = { key: undefined, cert: undefined };
      await expect(connect(instance, { tls })).rejects.toMatchObject({ code: '28000' });
      const names = ['ssl', 'port', 'hba_file', 'listen_addresses', 'cluster_name', 'max_connections'];
      const conf = join(getInstallation().data, 'instance_config', String(instance.id));
      expect(
        await query(
          instance,
          `SELECT json_agg(current_setting(name)) FROM unnest('{${names.join()}}'::text[]) name`,
        ),
      ).toEqual([
        ['on', String(instance.port), `${conf}/pg_hba.conf`, '*', `draupnir-instance-${instance.id}`, '100'],
      ]);
      expect((await listListeningPorts()).sort()).toEqual(ports.sort());
    }
    await server.api.destroyInstance(instance.id);
  });
});

/** What a superuser puts in the place of files that root or Postgres might read; `$D` is the data directory. */
const PLANTED: [string, string][] = [
  [
    'links to files of the host',
    'for f in PG_VERSION postmaster.pid postmaster.opts postgresql.auto.conf; do ln -sfn /etc/shadow $D/$f; done',
  ],
  [
    'pipes nobody writes to',
    'for f in PG_VERSION postmaster.pid postgresql.auto.conf; do rm -f $D/$f; mkfifo $D/$f; done',
  ],
  [
    'folders in the place of files',
    'for f in PG_VERSION postmaster.pid postgresql.auto.conf; do rm -f $D/$f; mkdir -p $D/$f/x; done',
  ],
  [
    'links in the place of folders',
    'mv $D/pg_wal $D/w; ln -s $SIBLING/pg_wal $D/pg_wal; mv $D/base $D/b; ln -s / $D/base',
  ],
  ['a version that is a path', 'rm $D/PG_VERSION; echo ../../../../tmp/evil >$D/PG_VERSION'],
  [
    'folders nobody may enter, odd names, and files that seem ours',
    `mkdir -p $D/deep/$(printf 'a%.0s' {1..200})/b; touch $D/deep/$'new\\nline' "$D/-rf" "$D/ca.crt" "$D/client.key"
    chmod 0 $D/deep; ln -s /etc $D/pg_hba.conf; chmod 0 $D`,
  ],
  [
    'subvolumes of its own',
    'mkdir $D/sub; btrfs subvolume create $D/sub/one; btrfs subvolume create $D/sub/one/two; btrfs subvolume snapshot $D $D/sub/three; true',
  ],
  [
    'a subvolume within one that is read-only',
    'btrfs subvolume create $D/a; btrfs subvolume create $D/a/b; btrfs property set -ts $D/a ro true',
  ],
  [
    'subvolumes below a path that is too long for any program',
    `cd $D; for i in {1..25}; do n=$(printf 'n%.0s' {1..200}); mkdir $n; cd $n; done
    btrfs subvolume create one; btrfs subvolume create one/two; btrfs property set -ts one ro true`,
  ],
  [
    'a socket directory full of other things',
    `rm -rf $RUN/.s*; ln -s /etc/passwd $RUN/.s.PGSQL.$PORT; mkdir -p $RUN/x/y; ln -s / $RUN/z`,
  ],
];

// All are planted before one is looked at, since every look at what is broken takes doctor seconds.
describe('an instance', () => {
  const planters = new Map<string, Instance>();
  let untouched: HostState;

  const find = (what: string): Instance => {
    const instance = planters.get(what);
    if (!instance) throw new Error(`there is no instance that plants ${what}`);
    return instance;
  };

  /** What there is of an instance on the host; btrfs cannot list subvolumes whose path is too long. */
  async function listTraces({ id }: Instance): Promise<string[]> {
    const { data, run } = getInstallation();
    const folders = [join(data, 'instances'), join(data, 'instance_config'), join(run, 'instances')];
    const found = await Promise.all(
      folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
    );
    return found.flat().filter((path) => new RegExp(`/${id}(\\.|$)`).test(path));
  }

  beforeAll(async () => {
    untouched = await readHostState();
    const conf = join(getInstallation().scripts, 'host.conf');
    const before = await readFile(conf);
    // Where its files are pipes, Postgres does not shut down.
    await appendFile(conf, 'STOP_WAIT=3\n');
    for (const [what, script] of PLANTED) {
      const attacker = await createAttacker();
      const { instance } = attacker;
      planters.set(what, instance);
      const { data, run } = getInstallation();
      // Its own session may be the first victim.
      await attacker
        .shell(
          `D='${data}/instances/${instance.id}' RUN='${run}/instances/${instance.id}' PORT=${instance.port}
        SIBLING='${data}/instances/${bystander.instance.id}'\n${script}`,
        )
        .catch(() => undefined);
      await attacker.end().catch(() => undefined);
    }
    return () => writeFile(conf, before);
  });

  it.concurrent.each(PLANTED)(
    'that plants %s gets nothing from any script and keeps none of them waiting',
    async (what) => {
      const { id } = find(what);
      const shadow = (await readFile('/etc/shadow', 'utf8')).split('\n')[0] ?? '';
      const outcomes = [
        await callScript('draupnir-start-instance', [String(id)], 'open\n'),
        await callScript('draupnir-stop-instance', [String(id)]),
        await callScript('draupnir-stop-instance', [String(id)]),
        await callScript('draupnir-start-instance', [String(id)], 'open\n'),
        await callScript('draupnir-read-credentials', [String(id)]),
      ];
      for (const { stdout, stderr } of outcomes) {
        expect(stdout).toMatch(/^((running|started) [0-9]+\n(opened\n)?)?(failure [^\n]+\n)?$/);
        expect(stdout).not.toContain(shadow);
        expect(stderr).not.toContain(shadow);
      }
      expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([
        expect.any(Number),
        0,
        0,
        expect.any(Number),
        66,
      ]);
      expect(await server.api.getInstance(id)).toMatchObject({ id });
      expect(await server.api.listInstanceIds()).toContain(id);
    },
  );

  it('that plants whatever it likes keeps neither doctor nor another instance from their work', async () => {
    expect((await diagnose()).checked).toMatchObject({ I2: expect.any(Number) as number });
    const other = await server.api.createInstance(inject('e2e').imageId);
    expect(await query(other, 'SELECT 1')).toEqual([1]);
    await server.api.destroyInstance(other.id);
  });

  it.each(PLANTED)('that plants %s is gone when it is destroyed', async (what) => {
    const instance = find(what);
    expect(await listTraces(instance)).not.toEqual([]);
    await server.api.destroyInstance(instance.id);
    expect(await listTraces(instance)).toEqual([]);
    expect(await listProcessesOf(INSTANCE_UID_BASE + instance.id)).toEqual([]);
  });

  it('that was destroyed leaves nothing behind', async () => {
    expect(await readHostState()).toEqual(untouched);
  });
});

describe('after all that', () => {
  it('the host is as it was, and a bystander has answered all along', async () => {
    expect(await readHostState()).toEqual(before);
    expect(await hashHostFiles(bystander.instance.id)).toEqual(files);
    expect(await listStrayFiles()).toEqual([]);
    const { answers, failures } = await bystander.stop();
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(10);
  });
});
