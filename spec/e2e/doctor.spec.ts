import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from './support/api.ts';
import { run } from './support/command.ts';
import { Damage, UNKNOWN } from './support/damage.ts';
import { type Diagnosis, diagnose, runDoctor, summarise } from './support/doctor.ts';
import { query } from './support/instance-client.ts';
import {
  getInstallation,
  IMAGE_UID_BASE,
  INSTANCE_PORTS,
  INSTANCE_UID_BASE,
  SUDOERS,
} from './support/installation.ts';
import { queryMetadata } from './support/metadata.ts';
import { signal } from './support/processes.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

const server = useServer();
const damage = new Damage(server);
let instance: Instance;

/** Paths below the data directory. */
const at = (...parts: string[]): string => join(getInstallation().data, ...parts);

beforeAll(async () => {
  instance = await server.api.createInstance(inject('e2e').imageId);
});

async function readPid(id: number): Promise<number> {
  return Number(await readFile(join(getInstallation().run, 'instances', `${id}.pid`), 'utf8'));
}

async function createSubvolume(path: string): Promise<void> {
  await run(['btrfs', '-q', 'subvolume', 'create', path]);
  damage.undoBy(() => run(['btrfs', '-q', 'subvolume', 'delete', path]));
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
    const before = await readPid(instance.id);
    expect(await diagnose('--fix')).toMatchObject({ ok: true, findings: [] });
    expect(await readPid(instance.id)).toBe(before);
  });

  it('refuses a configuration that it cannot use with exit code 78', async () => {
    expect(await runDoctor([], { config: 'none.toml' })).toMatchObject({ exitCode: 78, stdout: '' });
  });
});

/** A kind of damage: how it is done, what is found, and a part of the hint. */
type Case = [string, () => Promise<unknown>, () => string[], string | RegExp];

/** All of it is done at once, each to an object of its own, since every look at what is found takes doctor two seconds. */
describe('doctor finds what it does not repair, and says what to do:', () => {
  /** Instances that are hurt; another instance has a process that its Postgres did not start. */
  let closed: Instance;
  let locked: Instance;
  let diagnosis: Diagnosis;
  let shown = '';

  const cases: Case[] = [
    [
      'a subvolume without a record',
      () => createSubvolume(at('instances', `${UNKNOWN}`)),
      () => [`I2 instance ${UNKNOWN}: subvolume instances/${UNKNOWN} has no record`],
      `draupnir-destroy-instance ${UNKNOWN}`,
    ],
    [
      'a subvolume that is in another one',
      () => createSubvolume(at('instances', `${instance.id}`, 'nested one')),
      () => [`I2 subvolume 'instances/${instance.id}/nested one': lies inside another subvolume`],
      /btrfs subvolume delete --subvolid \d+ \S+\/data$/,
    ],
    [
      'an upload that stayed',
      () => createSubvolume(at('image_uploads', `${inject('e2e').imageId}`)),
      () => [
        `I2 image ${inject('e2e').imageId}: subvolume image_uploads/${inject('e2e').imageId} should be gone in its state`,
      ],
      'it holds what was not anonymised',
    ],
    [
      'a ready image whose snapshot is missing',
      () => damage.insertImage(UNKNOWN + 1, 'ready'),
      () => [`I2 image ${UNKNOWN + 1}: subvolume image_snapshots/${UNKNOWN + 1} is missing`],
      `draupnir images destroy ${UNKNOWN + 1}`,
    ],
    [
      'a pending image whose upload is missing',
      () => damage.insertImage(UNKNOWN + 2, 'pending'),
      () => [`I2 image ${UNKNOWN + 2}: subvolume image_uploads/${UNKNOWN + 2} is missing`],
      `draupnir images destroy ${UNKNOWN + 2}`,
    ],
    [
      'a process that the Postgres of an instance did not start',
      () => damage.startStray(INSTANCE_UID_BASE + instance.id),
      () => [`I3 instance ${instance.id}: a process (sleep) that its Postgres did not start`],
      /kill -KILL [0-9]+$/,
    ],
    [
      'a stranger on a port of the range',
      () => damage.listen('127.0.0.1', INSTANCE_PORTS.max - 5),
      () => [
        `I4 port ${INSTANCE_PORTS.max - 5}: uid 0 listens on it, IPv4, and it is the port of no instance that runs`,
      ],
      'ss -ltnp',
    ],
    [
      'a writable image',
      async () => {
        const path = at('image_snapshots', `${inject('e2e').imageId}`);
        await run(['btrfs', 'property', 'set', '-ts', path, 'ro', 'false']);
        damage.undoBy(() => run(['btrfs', 'property', 'set', '-ts', path, 'ro', 'true']));
      },
      () => [`I6 image ${inject('e2e').imageId}: its snapshot is writable`],
      'btrfs property set -ts',
    ],
    [
      'a process of an unready image that has the network of the host',
      () => damage.startStray(IMAGE_UID_BASE + UNKNOWN + 3),
      () => [
        `I3 image ${UNKNOWN + 3}: a process (sleep) of its uid, though it is not being prepared`,
        `I7 image ${UNKNOWN + 3}: a process of its uid has the network of the host`,
      ],
      'draupnir doctor --fix',
    ],
    [
      'an instance that rejects its own client',
      async () => {
        const hba = at('instance_config', `${closed.id}`, 'pg_hba.conf');
        const before = await readFile(hba);
        await writeFile(hba, 'local all all peer map=ctl\n');
        const pid = await readPid(closed.id);
        signal(pid, 'SIGHUP');
        damage.undoBy(async () => {
          await writeFile(hba, before);
          signal(pid, 'SIGHUP');
          await waitUntil('it answers', () => query(closed, 'SELECT 1').catch(() => undefined));
        });
        await waitUntil('it rejects', () =>
          query(closed, 'SELECT 1').then(
            () => false,
            () => true,
          ),
        );
      },
      () => [
        `I1 instance ${closed.id}: does not answer on 127.0.0.1:${closed.port}: its own client is rejected (28000)`,
        `I1 instance ${closed.id}: does not answer on [::1]:${closed.port}: its own client is rejected (28000)`,
      ],
      'pg_hba.conf',
    ],
    [
      'an instance whose credentials the key does not open',
      async () => {
        const { id } = locked;
        await queryMetadata(`CREATE TABLE kept AS SELECT credentials FROM instances WHERE id = ${id};
          UPDATE instances SET credentials = overlay(credentials PLACING '\\x00000000' FROM 20) WHERE id = ${id}`);
        damage.undoBy(() =>
          queryMetadata(
            `UPDATE instances SET credentials = (SELECT credentials FROM kept) WHERE id = ${id}; DROP TABLE kept`,
          ),
        );
      },
      () => [`installation instance ${locked.id}: encryption_key_file does not open its credentials`],
      'put back the key file',
    ],
    [
      'configuration without a record that is not empty',
      async () => {
        const path = at('instance_config', `${UNKNOWN + 4}`);
        await mkdir(path);
        await writeFile(join(path, 'postgres.log'), 'kept');
        damage.undoBy(() => rm(path, { recursive: true }));
      },
      () => [`leftovers instance ${UNKNOWN + 4}: configuration instance_config/${UNKNOWN + 4} has no record`],
      `draupnir-destroy-instance ${UNKNOWN + 4}`,
    ],
    [
      'a file where a subvolume should be',
      async () => {
        await writeFile(at('image_work', 'note'), '');
        damage.undoBy(() => rm(at('image_work', 'note')));
      },
      () => ['leftovers image_work/note: is no subvolume'],
      'rm -r -- ',
    ],
    [
      'a mount that lets programs run',
      async () => {
        await run(['mount', '-o', 'remount,exec', at()]);
        damage.undoBy(() => run(['mount', '-o', 'remount,noexec', at()]));
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
        damage.undoBy(() => write(rules));
      },
      () => [
        `installation script draupnir-destroy-image: sudo does not let ${SUDOERS.split('/').at(-1) ?? ''} run it`,
      ],
      'sudoers.example',
    ],
  ];

  beforeAll(async () => {
    closed = await server.api.createInstance(inject('e2e').imageId);
    locked = await server.api.createInstance(inject('e2e').imageId);
    for (const [, inflict] of cases) await inflict();
    const [found, text] = await Promise.all([diagnose(), runDoctor()]);
    diagnosis = found;
    shown = text.stdout;
    expect(text.exitCode).toBe(1);
  });

  afterAll(async () => {
    await damage.undo();
    expect(await diagnose()).toMatchObject({ ok: true, findings: [] });
  });

  it.each(cases)('%s', (_what, _inflict, expected, hint) => {
    const own = diagnosis.findings.filter((finding) =>
      expected().some((line) => summarise({ findings: [finding] })[0] === line),
    );
    expect(summarise({ findings: own })).toEqual(expected());
    expect(own[0]?.hint).toMatch(hint);
    expect(`\n${shown}`).toContain(`\n${expected()[0] ?? ''}\n   hint: `);
  });

  it('and nothing else, which it sums up', () => {
    const expected = cases.flatMap(([, , lines]) => lines());
    expect(summarise(diagnosis).sort()).toEqual([...expected].sort());
    expect(shown).toMatch(new RegExp(`\\n${expected.length} findings; checked I1 3, .* in [0-9]+ ms\\n$`));
  });
});

describe('doctor', () => {
  afterEach(() => damage.undo());

  it('finds a database that is gone', async () => {
    await damage.stopServer();
    const { metadata } = getInstallation();
    const socket = join(metadata, '.s.PGSQL.5432');
    await rename(socket, `${socket}.away`);
    damage.undoBy(() => rename(`${socket}.away`, socket));
    const [diagnosis, { exitCode, stdout }] = await Promise.all([diagnose(), runDoctor()]);
    expect(summarise(diagnosis)).toEqual(['installation database: cannot be asked (ENOENT)']);
    expect(diagnosis.findings[0]?.hint).toMatch('database_url');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^installation database: cannot be asked \(ENOENT\)\n {3}hint: /);
  });
});
