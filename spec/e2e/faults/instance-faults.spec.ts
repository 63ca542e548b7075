import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from '../support/api.ts';
import { Bystander } from '../support/bystander.ts';
import { run } from '../support/command.ts';
import { diagnose, summarise } from '../support/doctor.ts';
import { CONVERGENCE_LIMIT_MS, measureConvergence, recordFaults } from '../support/faults.ts';
import { connect, query } from '../support/instance-client.ts';
import { getInstallation, INSTANCE_UID_BASE } from '../support/installation.ts';
import { listProcessesOf, signal } from '../support/processes.ts';
import { useServer } from '../support/use-server.ts';
import { waitUntil } from '../support/wait.ts';

// Group D of the fault matrix: one instance is hurt, everything else goes on.

const server = useServer();
let bystander: Bystander;

beforeAll(async () => {
  bystander = new Bystander(await server.api.createInstance(inject('e2e').imageId));
});

const uidOf = ({ id }: Instance): number => INSTANCE_UID_BASE + id;
const dataOf = ({ id }: Instance): string => join(getInstallation().data, 'instances', String(id));

async function getPostmaster({ id }: Instance): Promise<number> {
  return Number(await readFile(join(getInstallation().run, 'instances', `${id}.pid`), 'utf8'));
}

async function signalAll(instance: Instance, name: NodeJS.Signals): Promise<void> {
  for (const { pid } of await listProcessesOf(uidOf(instance))) signal(pid, name);
}

/** Runs a bash script in the data directory as the owner of its files, as whoever has taken over the instance could. */
async function shell(instance: Instance, script: string): Promise<void> {
  const { uid } = await stat(dataOf(instance));
  const become = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
  await run([...become, 'bash', '-euc', `cd "$0"; ${script}`, dataOf(instance)]);
}

async function readState({ id }: Instance): Promise<{ status: string; failure: string | null }> {
  const { json } = await server.api.send('GET', `/instances/${id}?fields[instances]=status,failure`);
  return (json as { data: { attributes: { status: string; failure: string | null } } }).data.attributes;
}

/** A suspended Postgres is not waited for. */
const answers = (instance: Instance): Promise<unknown[] | undefined> =>
  query(instance, 'SELECT 1', { timeoutMs: 1500 }).catch(() => undefined);

/** Waits until the instance answers and doctor finds nothing; resolves to how long that took. */
async function waitForRecovery(instance: Instance, since: number): Promise<number> {
  await waitUntil('it answers', () => answers(instance));
  return measureConvergence(since);
}

type Fault = (instance: Instance) => Promise<unknown>;

/** What the owner, or somebody who has taken over the instance, leaves in the place of the lock file before Postgres dies. */
const dieLeaving =
  (script: string | (() => Promise<string>)): Fault =>
  async (instance) => {
    await shell(instance, typeof script === 'string' ? script : await script());
    await signalAll(instance, 'SIGKILL');
  };

const SIGNALS: Record<string, Fault> = {
  'a backend is killed': async (instance) => {
    const client = await connect(instance);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    signal(rows[0]?.pid ?? 0, 'SIGKILL');
    await client.end().catch(() => undefined);
  },
  'its postmaster is killed': async (instance) => signal(await getPostmaster(instance), 'SIGKILL'),
  'everything of its uid is killed': (instance) => signalAll(instance, 'SIGKILL'),
  'its postmaster is suspended': async (instance) => signal(await getPostmaster(instance), 'SIGSTOP'),
  'everything of its uid is suspended': (instance) => signalAll(instance, 'SIGSTOP'),
};

const LOCK_FILES: Record<string, Fault> = {
  'is stale': dieLeaving('true'),
  'is garbage': dieLeaving('head -c 100000 /dev/urandom >postmaster.pid'),
  'is empty': dieLeaving(': >postmaster.pid'),
  'names the process of another instance': dieLeaving(
    async () => `sed -i '1s/.*/${await getPostmaster(bystander.instance)}/' postmaster.pid`,
  ),
  'names init': dieLeaving(`sed -i '1s/.*/1/' postmaster.pid`),
  'cannot be read': dieLeaving('chmod 000 postmaster.pid'),
  'is a directory that nobody may enter': dieLeaving(
    'rm postmaster.pid; mkdir -p postmaster.pid/below; chmod 000 postmaster.pid',
  ),
  'leads elsewhere': dieLeaving('ln -sf /etc/passwd postmaster.pid'),
  'is a pipe': dieLeaving('rm postmaster.pid; mkfifo postmaster.pid'),
  'lies where nobody may look': dieLeaving('chmod 000 .'),
};

/** What the owner makes of the database that every cluster starts with, before Postgres dies. */
const dieAfter =
  (sql: string): Fault =>
  async (instance) => {
    await query(instance, sql);
    await signalAll(instance, 'SIGKILL');
  };

const DATABASES: Record<string, Fault> = {
  'is gone': dieAfter('DROP DATABASE postgres'),
  'is closed': dieAfter('ALTER DATABASE postgres ALLOW_CONNECTIONS false'),
  'lets nobody in': dieAfter('ALTER DATABASE postgres CONNECTION LIMIT 0'),
};

const MEMORY: Record<string, Fault> = {
  // Both values are in one row: 1.1 GB, where an instance has one GiB (host.conf, INSTANCE_MEMORY_MAX).
  'to sort': async (instance) => {
    const hog = `SELECT repeat('x', 550000000 + i), repeat('y', 550000000 + i) FROM generate_series(1, 1) AS i`;
    const sql = `SELECT length(a) FROM (${hog} OFFSET 0) AS t (a, b) ORDER BY b`;
    await expect(query(instance, sql)).rejects.toThrow(/terminat/);
  },
};

const GROUPS: [string, Record<string, Fault>][] = [
  ['when processes of theirs are hurt', SIGNALS],
  ['when they die, whatever has become of postmaster.pid', LOCK_FILES],
  ['when they die, whatever their owner has made of database postgres', DATABASES],
  ['when a query takes more memory than they have', MEMORY],
];

/** Gives an instance data and hurts it; resolves to how long it took until it was as before. */
async function hurt(name: string, instance: Instance, fault: Fault): Promise<number> {
  await query(instance, `CREATE TABLE kept AS SELECT 'still here' AS note`);
  await fault(instance);
  const since = performance.now();
  await waitUntil(`${name}: it answers`, () => answers(instance));
  const convergenceMs = performance.now() - since;
  expect(await query(instance, 'SELECT note FROM kept')).toEqual(['still here']);
  await expect(query(instance, 'SELECT 1', { tls: false })).rejects.toMatchObject({ code: '28000' });
  return convergenceMs;
}

describe('instances', () => {
  it.for(GROUPS)('come back by themselves %s', async ([, faults], { task }) => {
    const hurtOnes = await Promise.all(
      Object.entries(faults).map(async ([name, fault]) => ({
        name,
        fault,
        instance: await server.api.createInstance(inject('e2e').imageId),
      })),
    );
    const instances = hurtOnes.map(({ instance }) => instance);
    const times = await Promise.all(hurtOnes.map(({ name, instance, fault }) => hurt(name, instance, fault)));
    await measureConvergence(performance.now());
    const convergenceMs = Math.max(...times);
    recordFaults(task, { group: 'D', tried: times.length, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    for (const instance of instances) {
      expect(await readState(instance)).toEqual({ status: 'ready', failure: null });
    }
    await Promise.all(instances.map(({ id }) => server.api.destroyInstance(id)));
    for (const instance of instances) expect(await listProcessesOf(uidOf(instance))).toEqual([]);
  });
});

/** Connections to an instance; three of a hundred are kept for superusers (PostgreSQL manual, superuser_reserved_connections). */
const PLACES = 97;

describe('an instance', () => {
  it('takes a hundred connections at once, and answers when they are gone', async ({ task }) => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    const attempts = await Promise.allSettled(Array.from({ length: 100 }, () => connect(instance)));
    const clients = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    // One that was about to be refused may have had the place of another for a moment.
    await waitUntil('all places are taken', async () => {
      const late = clients.length < PLACES && (await connect(instance).catch(() => undefined));
      if (late) clients.push(late);
      return clients.length >= PLACES;
    });
    expect(clients).toHaveLength(PLACES);
    await expect(query(instance, 'SELECT 1')).rejects.toMatchObject({ code: '53300' });
    expect(summarise(await diagnose())).toEqual([]);
    expect(await readState(instance)).toEqual({ status: 'ready', failure: null });
    await Promise.all(clients.map((client: pg.Client) => client.end()));
    const convergenceMs = await waitForRecovery(instance, performance.now());
    recordFaults(task, { group: 'D', tried: 100, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    await server.api.destroyInstance(instance.id);
  });

  it('that cannot be started says why, is tried again, and comes back when that is mended', async ({
    task,
  }) => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    await shell(instance, `echo 'not a setting' >>postgresql.auto.conf`);
    await signalAll(instance, 'SIGKILL');
    const { failure } = await waitUntil('it is told', async () => {
      const state = await readState(instance);
      return state.status === 'stopped' && state;
    });
    expect(failure).toBe('configuration file "postgresql.auto.conf" contains errors');
    // What is known to be stopped is no finding.
    expect(summarise(await diagnose())).toEqual([]);
    await shell(instance, ': >postgresql.auto.conf');
    const convergenceMs = await waitForRecovery(instance, performance.now());
    recordFaults(task, { group: 'D', tried: 1, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    expect(await readState(instance)).toEqual({ status: 'ready', failure: null });
    await server.api.destroyInstance(instance.id);
  });

  it('that is suspended is told by doctor, and can be destroyed', async ({ task }) => {
    const instance = await server.api.createInstance(inject('e2e').imageId);
    await server.process.kill();
    await signalAll(instance, 'SIGSTOP');
    const { findings } = await diagnose();
    expect(findings.length).toBeGreaterThan(0);
    for (const { invariant, object, message } of findings) {
      expect([invariant, object]).toEqual(['I1', `instance ${instance.id}`]);
      expect(message).toMatch(/Postgres does not answer in time$/);
    }
    await server.start();
    const since = performance.now();
    await server.api.destroyInstance(instance.id);
    const convergenceMs = await measureConvergence(since);
    recordFaults(task, { group: 'D', tried: 1, convergenceMs, orphans: 0, stuck: 0 });
    expect(convergenceMs).toBeLessThan(CONVERGENCE_LIMIT_MS);
    expect(await listProcessesOf(uidOf(instance))).toEqual([]);
  });
});

describe('a neighbour of all of them', () => {
  it('has answered all along', async () => {
    const { answers, failures } = await bystander.stop();
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(100);
    expect(server.process.isRunning).toBe(true);
  });
});
