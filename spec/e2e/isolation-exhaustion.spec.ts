import { readdir, statfs } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { Attacker } from './support/attacker.ts';
import { Bystander } from './support/bystander.ts';
import { listStrayFiles } from './support/host-files.ts';
import { type HostState, readHostState } from './support/host-state.ts';
import { connect, query } from './support/instance-client.ts';
import { getInstallation, INSTANCE_UID_BASE } from './support/installation.ts';
import { listProcessesOf } from './support/processes.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

/** The defaults of host.conf. */
const TASKS_MAX = 256;
const TMP_MAX_BYTES = 256 * 1024 ** 2;

// What an attack has ended is not to be started again while the test looks at it.
const server = useServer({ network: 'block_instance_egress = false\nreconcile_interval = "1h"' });
let bystander: Bystander;
let before: HostState;

beforeAll(async () => {
  bystander = new Bystander(await server.api.createInstance(inject('e2e').imageId));
  before = await readHostState();
});

// A hook that throws would keep those after it from running: what is expected is in the last test.
afterAll(() => bystander.stop());

async function createAttacker(): Promise<Attacker> {
  return Attacker.create(await server.api.createInstance(inject('e2e').imageId));
}

async function listLocks(): Promise<string[]> {
  return (await readdir(getInstallation().run)).filter((name) => name.endsWith('.lock'));
}

async function countProcesses(instance: Instance): Promise<number> {
  return (await listProcessesOf(INSTANCE_UID_BASE + instance.id)).length;
}

describe('an instance that takes what it can get', () => {
  it('gets its share of the memory, and answers again afterwards', async () => {
    const attacker = await createAttacker();
    const hog = `perl -e 'my @all; push @all, "x" x (64 << 20) for 1 .. 48; print "BRE", "ACH\\n"'`;
    // The kernel may end the session that waits for it as well.
    const output = await attacker.shell(`${hog}; true`).catch(() => '');
    expect(output).not.toContain('BREACH');
    expect(server.process.isRunning).toBe(true);
    await waitUntil('it answers', () => query(attacker.instance, 'SELECT 1').catch(() => undefined));
    await attacker.end();
    await server.api.destroyInstance(attacker.instance.id);
  });

  it('gets its share of /tmp, and nothing of the host', async () => {
    const attacker = await createAttacker();
    const free = async (path: string): Promise<number> => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    };
    const memory = await free('/dev/shm');
    const output =
      await attacker.shell(`for file in /tmp/a /var/tmp/b /dev/shm/c; do head -c 1G /dev/zero >$file; done
      stat -c %s /tmp/a /var/tmp/b /dev/shm/c`);
    expect(output).toContain('No space left on device');
    const sizes = output
      .split('\n')
      .filter((line) => /^[0-9]+$/.test(line))
      .map(Number);
    expect(sizes).toHaveLength(3);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThanOrEqual(TMP_MAX_BYTES);
    // Others use it meanwhile, but nobody takes as much.
    expect(memory - (await free('/dev/shm'))).toBeLessThan(TMP_MAX_BYTES / 2);
    await attacker.end();
    await server.api.destroyInstance(attacker.instance.id);
  });

  it('gets its share of the processes', async () => {
    const attacker = await createAttacker();
    const bomb = attacker.shell('for i in {1..2000}; do sleep 600 & done; true').catch(() => undefined);
    const most = await waitUntil('it has all it can get', async () => {
      const count = await countProcesses(attacker.instance);
      return count > TASKS_MAX - 10 && count;
    });
    expect(most).toBeLessThanOrEqual(TASKS_MAX);
    await expect(
      server.api.createInstance(inject('e2e').imageId).then(({ id }) => server.api.destroyInstance(id)),
    ).resolves.toBe(undefined);
    await server.api.destroyInstance(attacker.instance.id);
    await bomb;
    await attacker.end();
    expect(await countProcesses(attacker.instance)).toBe(0);
  });

  it("gets its own connections and nobody else's", async () => {
    const attacker = await createAttacker();
    const attempts = await Promise.allSettled(Array.from({ length: 130 }, () => connect(attacker.instance)));
    const refused = attempts.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(25);
    for (const attempt of attempts) if (attempt.status === 'fulfilled') await attempt.value.end();
    await attacker.end();
    await server.api.destroyInstance(attacker.instance.id);
  });
});

describe('an instance that fights its end', () => {
  it('by killing whoever has its uid is ended all the same', async () => {
    const attacker = await createAttacker();
    // The caller of kill(2) is spared by its own signal to everybody. It keeps the connection open that it was started by.
    const fight = attacker.shell(`exec perl -e 'kill 9, -1 while 1'`).catch(() => undefined);
    await waitUntil('it alone is left', async () => (await countProcesses(attacker.instance)) === 1);
    await server.api.destroyInstance(attacker.instance.id);
    expect(await countProcesses(attacker.instance)).toBe(0);
    await fight;
    await attacker.end().catch(() => undefined);
  });

  it('by forking without end is ended all the same, and leaves no lock', async () => {
    const attacker = await createAttacker();
    const bomb = attacker.shell('bomb() { bomb | bomb & }; bomb; sleep 600').catch(() => undefined);
    await waitUntil('it spreads', async () => (await countProcesses(attacker.instance)) > 50);
    await server.api.destroyInstance(attacker.instance.id);
    await bomb;
    await attacker.end().catch(() => undefined);
    expect(await countProcesses(attacker.instance)).toBe(0);
    expect(await listLocks()).not.toContain(`instance-${attacker.instance.id}.lock`);
  });
});

describe('after all that', () => {
  it('the host is as it was, and a bystander has answered all along', async () => {
    expect(await readHostState()).toEqual(before);
    expect(await listStrayFiles()).toEqual([]);
    const { answers, failures } = await bystander.stop();
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(10);
  });
});
