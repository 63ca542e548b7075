import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Attacker, BREACH } from './support/attacker.ts';
import { Bystander } from './support/bystander.ts';
import { hashHostFiles, listStrayFiles } from './support/host-files.ts';
import { type HostState, readHostState } from './support/host-state.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, INSTANCE_UID_BASE } from './support/installation.ts';
import { listProcessesOf } from './support/processes.ts';
import { useServer } from './support/use-server.ts';

// What an attack has ended is not to be started again while the test looks at it.
const server = useServer({ network: 'block_instance_egress = false\nreconcile_interval = "1h"' });
let attacker: Attacker;
let bystander: Bystander;
let siblingPid = 0;
let before: HostState;
let files: Record<string, string>;

beforeAll(async () => {
  const { imageId } = inject('e2e');
  bystander = new Bystander(await server.api.createInstance(imageId));
  [{ pid: siblingPid } = { pid: 0 }] = await listProcessesOf(INSTANCE_UID_BASE + bystander.instance.id);
  before = await readHostState();
  files = await hashHostFiles(bystander.instance.id);
  attacker = await Attacker.create(await server.api.createInstance(imageId));
});

// A hook that throws would keep those after it from running: what is expected is in the last test.
afterAll(() => bystander.stop());

/** Paths that matter, with what they are. */
function describeTargets() {
  const { dir, data, run, state, tls, scripts, postgres, metadata, logs } = getInstallation();
  const sibling = String(bystander.instance.id);
  const own = String(attacker.instance.id);
  return {
    siblingData: join(data, 'instances', sibling),
    siblingConf: join(data, 'instance_config', sibling),
    siblingSocket: join(run, 'instances', sibling),
    ownData: join(data, 'instances', own),
    ownConf: join(data, 'instance_config', own),
    ownSocket: join(run, 'instances', own),
    config: join(dir, 'config.toml'),
    key: join(state, 'encryption.key'),
    apiKey: join(tls, 'api.key'),
    ...{ dir, data, run, scripts, postgres, metadata, logs },
  };
}

type Targets = ReturnType<typeof describeTargets>;

describe('a superuser inside an instance', () => {
  it('can run programs and write to its own data directory, so that what follows are real attempts', async () => {
    const { ownData } = describeTargets();
    expect(
      await attacker.shell(
        `id -u; echo mine >'${ownData}/mine'; cat '${ownData}/mine'; echo x >/tmp/x && cat /tmp/x`,
      ),
    ).toBe(`${INSTANCE_UID_BASE + attacker.instance.id}\nmine\nx\n`);
  });

  it.each<[string, (targets: Targets) => string]>([
    ['the data of a sibling', ({ siblingData }) => join(siblingData, 'global/pg_control')],
    ['the key of a sibling', ({ siblingConf }) => join(siblingConf, 'server.key')],
    ['the rules of a sibling', ({ siblingConf }) => join(siblingConf, 'pg_hba.conf')],
    ['the log of a sibling', ({ siblingConf }) => join(siblingConf, 'postgres.log')],
    ["the server's configuration", ({ config }) => config],
    ["the server's encryption key", ({ key }) => key],
    ["the API's key", ({ apiKey }) => apiKey],
    ['the metadata', ({ metadata }) => join(metadata, 'data/PG_VERSION')],
    ['an image', ({ data }) => join(data, `image_snapshots/${inject('e2e').imageId}/PG_VERSION`)],
    ['passwords of the host', () => '/etc/shadow'],
    ['rules of sudo', () => '/etc/sudoers'],
  ])('cannot read %s', async (_what, getPath) => {
    const path = getPath(describeTargets());
    // It is there, so the refusal means something.
    expect((await readFile(path)).length).toBeGreaterThan(0);
    const refused = { code: expect.stringMatching(/^(42501|58P01)$/) as unknown };
    const { client } = attacker;
    await expect(client.query('SELECT pg_read_binary_file($1)', [path])).rejects.toMatchObject(refused);
    await expect(client.query('SELECT lo_import($1)', [path])).rejects.toMatchObject(refused);
    await expect(
      client.query(`CREATE TEMP TABLE IF NOT EXISTS t (x text); COPY t FROM '${path}'`),
    ).rejects.toMatchObject(refused);
    const output = await attacker.shell(`cat '${path}' >/dev/null && echo ${BREACH}
      ln -sf '${path}' /tmp/link && cat /tmp/link >/dev/null && echo ${BREACH}`);
    expect(output).not.toContain(BREACH);
    expect(output).toMatch(/Permission denied|No such file/);
  });

  it('learns nothing of other processes from /proc', async () => {
    const pids = [siblingPid, server.process.pid, process.pid].join(' ');
    const output = await attacker.shell(`for pid in ${pids}; do for file in environ mem maps stack; do
        head -c 1 /proc/$pid/$file >/dev/null && echo ${BREACH} $pid $file
      done; for link in root cwd exe fd; do ls /proc/$pid/$link/ >/dev/null && echo ${BREACH} $pid $link; done; done`);
    expect(output).not.toContain(BREACH);
  });

  it("cannot use a sibling's socket, nor the server's", async () => {
    const { siblingSocket, metadata } = describeTargets();
    const output = await attacker.shell(`for user in draupnir-admin postgres draupnir; do
      psql -X -h '${siblingSocket}' -p ${bystander.instance.port} -U $user -d postgres -c 'SELECT 1' && echo ${BREACH}
      psql -X -h '${metadata}' -U $user -d draupnir -c 'SELECT 1' && echo ${BREACH}
      psql -X -h localhost -p ${bystander.instance.port} -U $user -d postgres -c 'SELECT 1' && echo ${BREACH}
    done`);
    expect(output).not.toContain(BREACH);
  });

  it('cannot signal anybody else', async () => {
    const pids = [siblingPid, server.process.pid, process.pid, 1];
    const output = await attacker.shell(pids.map((pid) => `kill -9 ${pid} && echo ${BREACH}`).join('\n'));
    expect(output).not.toContain(BREACH);
    expect(output.match(/Operation not permitted/g)).toHaveLength(pids.length);
    expect(server.process.isRunning).toBe(true);
  });

  it('cannot become root, nor gain any privilege', async () => {
    const { scripts } = describeTargets();
    const ptrace = `perl -e 'my $n = \`uname -m\` =~ /x86_64/ ? 101 : 117; exit(syscall($n, 16, ${siblingPid}, 0, 0) == 0 ? 0 : 1)'`;
    const attempts = [
      'sudo -n true',
      `sudo -n ${scripts}/draupnir-destroy-instance ${bystander.instance.id}`,
      `${scripts}/draupnir-destroy-instance ${bystander.instance.id}`,
      'su -c true </dev/null',
      'setpriv --reuid=0 true',
      'setpriv --reuid=65534 true',
      'unshare --user true',
      'unshare --mount true',
      'unshare --net true',
      'nsenter --target 1 --mount true',
      'chroot / true',
      'mount -t tmpfs none /tmp',
      'mknod /tmp/disk b 8 0',
      'hostname breached',
      ptrace,
    ];
    const output = await attacker.shell(
      `${attempts.map((attempt, i) => `${attempt} && echo ${BREACH} ${i}`).join('\n')}
      cp "$(command -v id)" '${describeTargets().ownData}/copy' && chmod 6755 '${describeTargets().ownData}/copy'
      '${describeTargets().ownData}/copy' -u && echo ${BREACH} executed; true`,
    );
    expect(output).not.toContain(BREACH);
  });

  it('cannot write to a place that others see', async () => {
    const targets = describeTargets();
    const { dir, data, run, scripts, postgres, siblingData, siblingConf, siblingSocket, ownConf } = targets;
    const folders = [
      ...[
        '/',
        '/etc',
        '/usr/bin',
        '/usr/lib',
        '/root',
        '/home',
        '/run',
        '/dev',
        '/var',
        '/sys/fs/cgroup',
        '/etc/sudoers.d',
      ],
      ...[
        dir,
        data,
        join(data, 'instances'),
        join(data, 'instance_config'),
        join(data, 'image_uploads'),
        run,
      ],
      ...[join(run, 'instances'), scripts, postgres, siblingData, siblingConf, siblingSocket, ownConf],
    ];
    const output = await attacker.shell(`for dir in ${folders.join(' ')}; do
        echo x >"$dir/planted" && echo ${BREACH} "$dir"
        mkdir "$dir/planted" && echo ${BREACH} "$dir"
        ln -s /etc/passwd "$dir/planted" && echo ${BREACH} "$dir"
      done
      for file in pg_hba.conf pg_ident.conf postgresql.conf server.key server.crt ca.crt major; do
        echo x >>'${ownConf}'/$file && echo ${BREACH} $file
        rm -f '${ownConf}'/$file && echo ${BREACH} $file
      done
      echo x >>'${run}/instance-${bystander.instance.id}.lock' && echo ${BREACH} lock; true`);
    expect(output).not.toContain(BREACH);
    const { client } = attacker;
    for (const path of [join(ownConf, 'pg_hba.conf'), '/etc/passwd', join(siblingData, 'PG_VERSION')]) {
      await expect(client.query(`COPY (SELECT 'x') TO '${path}'`)).rejects.toThrow();
      await expect(client.query(`SELECT lo_export(lo_from_bytea(0, 'x'), '${path}')`)).rejects.toThrow();
    }
  });

  it('cannot execute a program that it has written, wherever it can write', async () => {
    const { ownData, ownSocket } = describeTargets();
    const output = await attacker.shell(`for dir in /tmp /var/tmp /dev/shm '${ownData}' '${ownSocket}'; do
        cp "$(command -v id)" "$dir/program" && echo copied
        "$dir/program" && echo ${BREACH} "$dir"
        rm "$dir/program"
      done`);
    expect(output.match(/^copied$/gm)).toHaveLength(5);
    expect(output).not.toContain(BREACH);
  });

  it('leaves what it writes to /tmp and its like to nobody, not even while it runs', async () => {
    await attacker.shell(`for dir in /tmp /var/tmp /dev/shm; do mkdir -p $dir/deep/er; echo row >$dir/deep/er/copy; done
      ipcmk -M 4096 -S 1 -Q`);
    expect(await listStrayFiles()).toEqual([]);
    const uid = INSTANCE_UID_BASE + attacker.instance.id;
    for (const kind of ['shm', 'msg', 'sem']) {
      expect((await readFile(`/proc/sysvipc/${kind}`, 'utf8')).split(/\s+/)).not.toContain(String(uid));
    }
  });

  it('finds nothing that others keep, wherever it looks', async () => {
    const secret = join(getInstallation().scratch, 'planted-secret');
    await writeFile(secret, 'value of somebody else', { mode: 0o600 });
    expect(
      await attacker.shell(`grep -rs 'value of somebody' '${getInstallation().dir}' /tmp /run; true`),
    ).toBe('');
  });
});

describe('a signal of an instance to everybody', () => {
  it('hits itself alone', async () => {
    const victim = await Attacker.create(await server.api.createInstance(inject('e2e').imageId));
    await victim.shell('kill -9 -1').catch(() => undefined);
    await victim.end().catch(() => undefined);
    expect(await query(bystander.instance, 'SELECT 1')).toEqual([1]);
    expect(server.process.isRunning).toBe(true);
    expect(await query(attacker.instance, 'SELECT 1')).toEqual([1]);
    await server.api.destroyInstance(victim.instance.id);
  });
});

describe('after all that', () => {
  it('the host is as it was, and a bystander has answered all along', async () => {
    await attacker.end();
    await server.api.destroyInstance(attacker.instance.id);
    expect(await readHostState()).toEqual(before);
    expect(await hashHostFiles(bystander.instance.id)).toEqual(files);
    expect(await listStrayFiles()).toEqual([]);
    const { answers, failures } = await bystander.stop();
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(10);
  });
});
