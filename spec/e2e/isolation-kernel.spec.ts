import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { Attacker, BREACH } from './support/attacker.ts';
import { diagnose } from './support/doctor.ts';
import { listStrayFiles } from './support/host-files.ts';
import { query } from './support/instance-client.ts';
import { getInstallation, INSTANCE_UID_BASE } from './support/installation.ts';
import { formatInt80 } from './support/int80.ts';
import { formatKernelAttacks, formatRefusals } from './support/kernel-attacks.ts';
import { listProcessesOf } from './support/processes.ts';
import { callScript } from './support/script.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

/** What programs expect; nothing in there reaches the host. */
const DEVICES = ['fd', 'full', 'null', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'urandom', 'zero'];

/** What Postgres and the programs of a script do; prints what does not work. */
const ORDINARY = `perl -e 'use Socket;
  my @tcp = (SOCK_STREAM, IPPROTO_TCP);
  for ([AF_UNIX, SOCK_STREAM, 0], [AF_INET, @tcp], [AF_INET6, @tcp], [AF_INET, SOCK_DGRAM, IPPROTO_UDP]) {
    socket(my $socket, $_->[0], $_->[1], $_->[2]) or print "socket @$_: $!\\n";
  }
  socketpair(my $one, my $other, AF_UNIX, SOCK_STREAM, 0) or print "socketpair: $!\\n"'
getent ahosts localhost >/dev/null || echo getaddrinfo
mkfifo /tmp/pipe && rm /tmp/pipe || echo mkfifo
[[ $(echo through | cat | cat <(cat)) == through ]] || echo pipes
echo lost >/dev/null && [[ $(head -c 4 /dev/zero | wc -c) == 4 ]] || echo devices
[[ $(head -c 4 /dev/urandom | wc -c) == 4 ]] || echo urandom
[[ $(cat /dev/stdin <<<typed) == typed ]] || echo stdin
setsid true && nice true && timeout 5 true || echo programs`;

const server = useServer();
const found = (): string => join(getInstallation().run, 'sandbox');

async function createAttacker(): Promise<Attacker> {
  return Attacker.create(await server.api.createInstance(inject('e2e').imageId));
}

/** Runs a program of Perl inside; resolves to what it printed. */
function runPerl(attacker: Attacker, program: string): Promise<string> {
  return attacker.shell(`perl <<'PERL'\n${program}\nPERL`);
}

/** What `/proc/PID/status` of each process says of its limits. */
async function readConfinement(instance: Instance): Promise<string[]> {
  const confinements = new Set<string>();
  for (const { pid } of await listProcessesOf(INSTANCE_UID_BASE + instance.id)) {
    // One that has ended meanwhile had its postmaster's.
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
    if (status) confinements.add((status.match(/^(NoNewPrivs|Seccomp|CapBnd):.*/gm) ?? []).sort().join(' '));
  }
  return [...confinements];
}

const CONFINED = ['CapBnd:\t0000000000000000 NoNewPrivs:\t1 Seccomp:\t2'];

describe('the kernel, for a superuser inside an instance', () => {
  let attacker: Attacker;
  beforeAll(async () => {
    attacker = await createAttacker();
  });
  afterAll(() => attacker.end());

  it('refuses every call that neither Postgres nor its programs need', async () => {
    expect(await runPerl(attacker, formatKernelAttacks())).toBe(formatRefusals());
  });

  it('does what they need', async () => {
    expect(await attacker.shell(ORDINARY)).toBe('');
  });

  it('kills what makes calls of another architecture', async ({ skip }) => {
    if (process.arch !== 'x64') skip('it has the calls of one architecture alone');
    const output = await attacker.shell(formatInt80());
    expect(output).not.toContain(BREACH);
    // SIGSYS; SIGSEGV where the kernel knows nothing of i386.
    expect(output).toMatch(/^status (159|139)$/m);
  });

  it('holds all its processes in the same way', async () => {
    expect(await readConfinement(attacker.instance)).toEqual(CONFINED);
  });

  it('shows it devices that reach nothing, and no other', async () => {
    const output = await attacker.shell(`ls /dev
      for node in kmsg mem port console tty tty0 ptmx fuse kvm net/tun loop0 vda sda vsock; do
        (exec 3<>/dev/$node) 2>/dev/null && echo ${BREACH} $node
      done
      touch /dev/null 2>/dev/null && echo ${BREACH} touch
      chmod 0666 /dev/null 2>/dev/null && echo ${BREACH} chmod
      find /dev -type b; true`);
    expect(output).toBe(DEVICES.map((name) => `${name}\n`).join(''));
  });
});

describe('the filter of system calls', () => {
  it('applies where there are no mount namespaces, too', async () => {
    const before = (await readFile(found(), 'utf8')).trim().split(' ');
    await writeFile(found(), ['none', before[1], 'same', ...before.slice(3)].join(' ') + '\n');
    try {
      const attacker = await createAttacker();
      expect(await runPerl(attacker, formatKernelAttacks())).toBe(formatRefusals());
      expect(await readConfinement(attacker.instance)).toEqual(CONFINED);
      await attacker.shell(
        'for dir in /tmp /var/tmp; do mkdir $dir/deep-$$; echo row >$dir/deep-$$/copy; done',
      );
      expect(await listStrayFiles()).not.toEqual([]);
      await attacker.end();
      await server.api.destroyInstance(attacker.instance.id);
      expect(await listStrayFiles()).toEqual([]);
    } finally {
      await writeFile(found(), `${before.join(' ')}\n`);
    }
  });

  it('applies after an update, whatever an older version has found out about the host', async () => {
    await server.api.destroyInstance((await server.api.createInstance(inject('e2e').imageId)).id);
    const now = await readFile(found(), 'utf8');
    const [namespace, cgroup, mapping, filter, boot] = now.trim().split(' ');
    expect(filter).toBe('filter');
    await writeFile(found(), `${[namespace, cgroup, mapping, boot].join(' ')}\n`);
    const instance = await server.api.createInstance(inject('e2e').imageId);
    expect(await readConfinement(instance)).toEqual(CONFINED);
    expect(await readFile(found(), 'utf8')).toBe(now);
    await server.api.destroyInstance(instance.id);
  });

  it('is reported by doctor as missing until the instance is started again', async () => {
    const before = (await readFile(found(), 'utf8')).trim().split(' ');
    await writeFile(found(), `${before.map((word) => (word === 'filter' ? 'no-filter' : word)).join(' ')}\n`);
    const instance = await server.api.createInstance(inject('e2e').imageId);
    await writeFile(found(), `${before.join(' ')}\n`);
    expect(await readConfinement(instance)).toEqual([CONFINED[0]?.replace(/.$/, '0')]);
    expect((await diagnose()).findings).toMatchObject([
      {
        object: `instance ${instance.id}`,
        message: 'runs without the filter of system calls: an older version has started it',
      },
    ]);
    expect(await callScript('draupnir-stop-instance', [String(instance.id)])).toMatchObject({ exitCode: 0 });
    await waitUntil('it is started again', () => query(instance, 'SELECT 1').catch(() => undefined));
    expect(await readConfinement(instance)).toEqual(CONFINED);
    expect((await diagnose()).findings).toEqual([]);
    await server.api.destroyInstance(instance.id);
  });
});
