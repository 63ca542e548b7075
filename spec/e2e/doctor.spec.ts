import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { run } from './support/command.ts';
import { diagnose, runDoctor, summarise } from './support/doctor.ts';
import { query } from './support/instance-client.ts';
import {
  getInstallation,
  IMAGE_UID_BASE,
  INSTANCE_PORTS,
  INSTANCE_UID_BASE,
  SUDOERS,
} from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { listProcessesOf, signal } from './support/processes.ts';
import { ANONYMISE } from './support/source.ts';
import { upload } from './support/upload.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

/** An id far from those that are handed out. */
const UNKNOWN = 777_001;

const server = useServer();
let instance: Instance;

/** Paths below the data directory. */
const at = (...parts: string[]): string => join(getInstallation().data, ...parts);

beforeAll(async () => {
  instance = await server.api.createInstance(inject('e2e').imageId);
});

/** Undoes what a test has done, whether it passed or not. */
const undo: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  expect(await diagnose()).toMatchObject({ ok: true, findings: [] });
});

const pidOf = async (id: number): Promise<number> => {
  const file = join(getInstallation().run, 'instances', `${id}.pid`);
  return Number(await readFile(file, 'utf8'));
};

/** Nobody puts right what a test damages, until its end. */
async function stopServer(): Promise<void> {
  expect(await server.process.stop()).toBe(0);
  undo.push(() => server.start());
}

/** A program that does nothing as that uid, as a child of nobody; resolves to its process id. */
async function startStray(uid: number): Promise<number> {
  const child = spawn('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'sleep', '600'], {
    detached: true,
    stdio: 'ignore',
  });
  await once(child, 'spawn');
  undo.push(() => Promise.resolve(child.kill('SIGKILL')));
  await waitUntil('it has become that user', async () =>
    (await listProcessesOf(uid)).some((p) => p.pid === child.pid),
  );
  return child.pid ?? 0;
}

async function listen(host: string, port: number): Promise<void> {
  // A socket that nobody reads would never notice that the other side is gone.
  const listener = createServer((socket) => void socket.resume().on('error', () => undefined));
  listener.listen({ host, port, ipv6Only: true });
  await once(listener, 'listening');
  undo.push(async () => {
    listener.close();
    await once(listener, 'close');
  });
}

async function killAll(uid: number): Promise<void> {
  for (const { pid } of await listProcessesOf(uid)) signal(pid, 'SIGKILL');
  await waitUntil('they are gone', async () => (await listProcessesOf(uid)).length === 0);
}

describe('doctor on an installation that is right', () => {
  it('says so as root and as the server’s user, and exits 0', async () => {
    for (const options of [{}, { as: 'server' }] as const) {
      const { exitCode, stdout, stderr } = await runDoctor([], options);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/^all holds; checked I1 1, I2 2, I3 1, I4 2, I6 1, I7 0, .* in [0-9]+ ms\n$/);
    }
  });

  it('prints one JSON document with what it has looked at', async () => {
    const { stdout } = await runDoctor(['--json']);
    expect(JSON.parse(stdout)).toEqual({
      ok: true,
      checked: expect.objectContaining({ I1: 1, I2: 2, I3: 1, I4: 2, I6: 1, I7: 0 }) as unknown,
      findings: [],
      duration_ms: expect.any(Number) as unknown,
    });
  });

  it('changes nothing with --fix', async () => {
    const before = await pidOf(instance.id);
    expect(await diagnose('--fix')).toMatchObject({ ok: true, findings: [] });
    expect(await pidOf(instance.id)).toBe(before);
  });

  it('refuses a configuration that it cannot use with exit code 78', async () => {
    expect(await runDoctor([], { config: 'none.toml' })).toMatchObject({ exitCode: 78, stdout: '' });
  });
});

describe('doctor finds what it does not repair, and says what to do:', () => {
  /** A kind of damage: how it is done, what is found, and a part of the hint. */
  const cases: [string, () => Promise<unknown>, () => string[], string | RegExp][] = [
    [
      'a subvolume without a record',
      async () => {
        await run(['btrfs', '-q', 'subvolume', 'create', at('instances', `${UNKNOWN}`)]);
        undo.push(() => run(['btrfs', '-q', 'subvolume', 'delete', at('instances', `${UNKNOWN}`)]));
      },
      () => [`I2 instance ${UNKNOWN}: subvolume instances/${UNKNOWN} has no record`],
      `draupnir-destroy-instance ${UNKNOWN}`,
    ],
    [
      'a subvolume that is in another one',
      async () => {
        const nested = at('instances', `${instance.id}`, 'nested one');
        await run(['btrfs', '-q', 'subvolume', 'create', nested]);
        undo.push(() => run(['btrfs', '-q', 'subvolume', 'delete', nested]));
      },
      () => [`I2 subvolume 'instances/${instance.id}/nested one': lies inside another subvolume`],
      /btrfs subvolume delete --subvolid \d+ \S+\/data$/,
    ],
    [
      'an upload that stayed',
      async () => {
        const path = at('image_uploads', `${inject('e2e').imageId}`);
        await run(['btrfs', '-q', 'subvolume', 'create', path]);
        undo.push(() => run(['btrfs', '-q', 'subvolume', 'delete', path]));
      },
      () => [
        `I2 image ${inject('e2e').imageId}: subvolume image_uploads/${inject('e2e').imageId} should be gone in its state`,
      ],
      'it holds what was not anonymised',
    ],
    [
      'a ready image whose snapshot is missing',
      async () => {
        await insertImage(UNKNOWN, 'ready');
      },
      () => [`I2 image ${UNKNOWN}: is ready, but subvolume image_snapshots/${UNKNOWN} is missing`],
      `draupnir images destroy ${UNKNOWN}`,
    ],
    [
      'a pending image whose upload is missing',
      async () => {
        await insertImage(UNKNOWN, 'pending');
      },
      () => [`I2 image ${UNKNOWN}: is pending, but subvolume image_uploads/${UNKNOWN} is missing`],
      `draupnir images destroy ${UNKNOWN}`,
    ],
    [
      'a process that the Postgres of an instance did not start',
      async () => {
        await startStray(INSTANCE_UID_BASE + instance.id);
      },
      () => [`I3 instance ${instance.id}: a process (sleep) that its Postgres did not start`],
      /kill -KILL [0-9]+$/,
    ],
    [
      'a stranger on a port of the range',
      () => listen('127.0.0.1', INSTANCE_PORTS.max - 5),
      () => [
        `I4 port ${INSTANCE_PORTS.max - 5}: uid 0 listens on it, IPv4, and it is the port of no instance that runs`,
      ],
      'ss -ltnp',
    ],
    [
      'a stranger on the port of an instance',
      async () => {
        await stopServer();
        await killAll(INSTANCE_UID_BASE + instance.id);
        undo.push(() => diagnose('--fix'));
        await listen('0.0.0.0', instance.port);
      },
      () => [
        `I1 instance ${instance.id}: does not answer on 127.0.0.1:${instance.port}: Postgres does not answer in time`,
        `I1 instance ${instance.id}: does not answer on [::1]:${instance.port}: nobody listens`,
        `I3 instance ${instance.id}: is ready, but its postmaster does not run`,
        `I4 port ${instance.port}: uid 0 listens on the port of instance ${instance.id}, IPv4`,
      ],
      'draupnir doctor --fix',
    ],
    [
      'a writable image',
      async () => {
        const path = at('image_snapshots', `${inject('e2e').imageId}`);
        await run(['btrfs', 'property', 'set', '-ts', path, 'ro', 'false']);
        undo.push(() => run(['btrfs', 'property', 'set', '-ts', path, 'ro', 'true']));
      },
      () => [`I6 image ${inject('e2e').imageId}: its snapshot is writable`],
      'btrfs property set -ts',
    ],
    [
      'a process of an unready image that has the network of the host',
      async () => {
        await startStray(IMAGE_UID_BASE + UNKNOWN);
      },
      () => [
        `I3 image ${UNKNOWN}: a process (sleep) of its uid, though it is not being prepared`,
        `I7 image ${UNKNOWN}: a process of its uid has the network of the host`,
      ],
      'draupnir doctor --fix',
    ],
    [
      'an instance that rejects its own client',
      async () => {
        const hba = at('instance_config', `${instance.id}`, 'pg_hba.conf');
        const before = await readFile(hba);
        await writeFile(hba, 'local all all peer map=ctl\n');
        const pid = await pidOf(instance.id);
        signal(pid, 'SIGHUP');
        undo.push(async () => {
          await writeFile(hba, before);
          signal(pid, 'SIGHUP');
          await waitUntil('it answers', () => query(instance, 'SELECT 1').catch(() => undefined));
        });
        await waitUntil('it rejects', () =>
          query(instance, 'SELECT 1').then(
            () => false,
            () => true,
          ),
        );
      },
      () => [
        `I1 instance ${instance.id}: does not answer on 127.0.0.1:${instance.port}: its own client is rejected (28000)`,
        `I1 instance ${instance.id}: does not answer on [::1]:${instance.port}: its own client is rejected (28000)`,
      ],
      'pg_hba.conf',
    ],
    [
      'an instance whose credentials the key does not open',
      async () => {
        const { id } = instance;
        await queryMetadata(`CREATE TABLE kept AS SELECT credentials FROM instances WHERE id = ${id};
          UPDATE instances SET credentials = overlay(credentials PLACING '\\x00000000' FROM 20) WHERE id = ${id}`);
        undo.push(() =>
          queryMetadata(
            `UPDATE instances SET credentials = (SELECT credentials FROM kept) WHERE id = ${id}; DROP TABLE kept`,
          ),
        );
      },
      () => [`installation instance ${instance.id}: encryption_key_file does not open its credentials`],
      'put back the key file',
    ],
    [
      'configuration without a record that is not empty',
      async () => {
        const path = at('instance_config', `${UNKNOWN}`);
        await mkdir(path);
        await writeFile(join(path, 'postgres.log'), 'kept');
        undo.push(() => rm(path, { recursive: true }));
      },
      () => [`leftovers instance ${UNKNOWN}: configuration instance_config/${UNKNOWN} has no record`],
      `draupnir-destroy-instance ${UNKNOWN}`,
    ],
    [
      'a file where a subvolume should be',
      async () => {
        await writeFile(at('image_work', 'note'), '');
        undo.push(() => rm(at('image_work', 'note')));
      },
      () => ['leftovers image_work/note: is no subvolume'],
      'rm -r -- ',
    ],
    [
      'a mount that lets programs run',
      async () => {
        await run(['mount', '-o', 'remount,exec', at()]);
        undo.push(() => run(['mount', '-o', 'remount,noexec', at()]));
      },
      () => [`installation mount ${at()}: lacks noexec`],
      'mount -o remount,noexec',
    ],
    [
      'a missing sudo rule',
      async () => {
        const rules = await readFile(SUDOERS, 'utf8');
        const write = (text: string): Promise<void> => writeFile(SUDOERS, text, { mode: 0o440 });
        await write(rules.replace(/^.*draupnir-destroy-image.*$/m, ''));
        undo.push(() => write(rules));
      },
      () => [
        `installation script draupnir-destroy-image: sudo does not let ${SUDOERS.split('/').at(-1) ?? ''} run it`,
      ],
      'sudoers.example',
    ],
    [
      'a database that is gone',
      async () => {
        await stopServer();
        const { metadata } = getInstallation();
        const socket = join(metadata, '.s.PGSQL.5432');
        await rename(socket, `${socket}.away`);
        undo.push(() => rename(`${socket}.away`, socket));
      },
      () => ['installation database: cannot be asked (ENOENT)'],
      'database_url',
    ],
  ];

  it.each(cases)('%s', async (_what, damage, expected, hint) => {
    await damage();
    const diagnosis = await diagnose();
    expect(summarise(diagnosis)).toEqual(expected());
    expect(diagnosis.findings[0]?.hint).toMatch(hint);
    const { exitCode, stdout } = await runDoctor();
    expect(exitCode).toBe(1);
    expect(stdout.startsWith(`${expected()[0] ?? ''}\n   hint: `)).toBe(true);
  });

  it('a destruction that nobody goes on with', async () => {
    await stopServer();
    await insertImage(UNKNOWN, 'destroying');
    expect(summarise(await diagnose())).toEqual([
      `records image ${UNKNOWN}: is destroying, and nobody is at work on it`,
    ]);
  });

  it('keeps all data with --fix', async () => {
    const path = at('instances', `${UNKNOWN}`);
    await run(['btrfs', '-q', 'subvolume', 'create', path]);
    undo.push(() => run(['btrfs', '-q', 'subvolume', 'delete', path]));
    await writeFile(join(path, 'kept'), 'kept');
    await startStray(INSTANCE_UID_BASE + UNKNOWN);
    const { ok, findings } = await diagnose('--fix');
    expect(ok).toBe(false);
    expect(findings.map(({ fixed }) => fixed)).toEqual([false, false]);
    expect(await readFile(join(path, 'kept'), 'utf8')).toBe('kept');
    expect(await listProcessesOf(INSTANCE_UID_BASE + UNKNOWN)).toHaveLength(1);
  });
});

async function insertImage(id: number, status: string): Promise<void> {
  await queryMetadata(
    `INSERT INTO images (id, backed_up_at, created_at, updated_at, ready, status)
     VALUES (${id}, now(), now(), now(), ${status === 'ready'}, '${status}')`,
  );
  undo.push(() => queryMetadata(`DELETE FROM images WHERE id = ${id}`));
}

describe('doctor --fix repairs', () => {
  /** The damage, what is found, what is done about it. */
  const cases: [string, () => Promise<unknown>, () => string[], string][] = [
    [
      'an instance whose Postgres was killed',
      async () => {
        await stopServer();
        await killAll(INSTANCE_UID_BASE + instance.id);
      },
      () => [
        `I1 instance ${instance.id}: does not answer on 127.0.0.1:${instance.port}: nobody listens`,
        `I1 instance ${instance.id}: does not answer on [::1]:${instance.port}: nobody listens`,
        `I3 instance ${instance.id}: is ready, but its postmaster does not run`,
      ],
      'started the instance',
    ],
    [
      'what runs of an instance that does not exist',
      () => startStray(INSTANCE_UID_BASE + UNKNOWN),
      () => [`I3 instance ${UNKNOWN}: a process (sleep) of its uid, though it has no record`],
      'ended what ran under its uid and removed its run files and empty directories',
    ],
    [
      'run files and an empty configuration of an instance that does not exist',
      async () => {
        await mkdir(at('instance_config', `${UNKNOWN}`));
        for (const suffix of ['pid', 'mounts']) {
          await writeFile(join(getInstallation().run, 'instances', `${UNKNOWN}.${suffix}`), '1\n');
        }
      },
      () => [
        `leftovers instance ${UNKNOWN}: configuration instance_config/${UNKNOWN} has no record`,
        `leftovers instance ${UNKNOWN}: run file ${UNKNOWN}.mounts is left`,
        `leftovers instance ${UNKNOWN}: run file ${UNKNOWN}.pid is left`,
      ],
      'ended what ran under its uid and removed its run files and empty directories',
    ],
    [
      'what an ended preparation has left',
      async () => {
        await run(['btrfs', '-q', 'subvolume', 'create', at('image_work', `${UNKNOWN}`)]);
        await mkdir(join(getInstallation().run, 'images', `${UNKNOWN}`));
        await startStray(IMAGE_UID_BASE + UNKNOWN);
      },
      () => [
        `I2 image ${UNKNOWN}: an ended preparation has left its clone image_work/${UNKNOWN}`,
        `I3 image ${UNKNOWN}: a process (sleep) of its uid, though it is not being prepared`,
        `I7 image ${UNKNOWN}: a process of its uid has the network of the host`,
        `leftovers image ${UNKNOWN}: run file ${UNKNOWN} is left`,
      ],
      'ended what ran for its preparation and removed its clone and run files',
    ],
  ];

  it.each(cases)('%s', async (_what, damage, expected, done) => {
    await damage();
    expect(summarise(await diagnose()).sort()).toEqual(expected());
    const diagnosis = await diagnose('--fix');
    expect(summarise(diagnosis).sort()).toEqual(expected());
    expect(diagnosis.ok).toBe(true);
    for (const finding of diagnosis.findings) expect(finding.fixed).toBe(true);
    expect(diagnosis.findings.map((finding) => finding.done)).toContain(done);
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
  });

  it('an instance that is there and says nothing', async () => {
    await stopServer();
    const pids = (await listProcessesOf(INSTANCE_UID_BASE + instance.id)).map(({ pid }) => pid);
    for (const pid of pids) signal(pid, 'SIGSTOP');
    const { findings } = await diagnose();
    expect(new Set(findings.map(({ message }) => message.split(': ')[1]))).toEqual(
      new Set(['Postgres does not answer in time']),
    );
    expect(await diagnose('--fix')).toMatchObject({ ok: true });
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
  });
});

describe('doctor raises no false alarm', () => {
  it('about an instance that the server has started again', async () => {
    await killAll(INSTANCE_UID_BASE + instance.id);
    await waitUntil('it answers', () => query(instance, 'SELECT 1').catch(() => undefined));
    await waitUntil('it is ready', async () => {
      const status = await queryMetadata(`SELECT status FROM instances WHERE id = ${instance.id}`);
      return status === 'ready';
    });
    expect(summarise(await diagnose())).toEqual([]);
  });

  it('while instances are created and destroyed', async () => {
    let goesOn = true;
    const churn = async (): Promise<void> => {
      while (goesOn) {
        const { id } = await server.api.createInstance(inject('e2e').imageId);
        await server.api.destroyInstance(id);
      }
    };
    const churning = Promise.all([churn(), churn()]);
    try {
      for (let round = 0; round < 12; round++) expect(summarise(await diagnose())).toEqual([]);
    } finally {
      goesOn = false;
      await churning;
    }
  });

  it('while an image is uploaded, prepared and destroyed', async () => {
    const { id } = await server.api.createImage(`SELECT pg_sleep(3);\n${ANONYMISE}`);
    expect(summarise(await diagnose())).toEqual([]);
    await upload(id, inject('e2e').backup);
    const state = { answered: false };
    const outcome = server.api.finaliseImage(id).finally(() => (state.answered = true));
    let looks = 0;
    for (; !state.answered; looks++) {
      const diagnosis = await diagnose();
      expect(summarise(diagnosis)).toEqual([]);
    }
    expect(looks).toBeGreaterThan(2);
    expect(await outcome).toMatchObject({ status: 200 });
    const destroyed = server.api.destroyImage(id);
    expect(summarise(await diagnose())).toEqual([]);
    await destroyed;
  });
});
