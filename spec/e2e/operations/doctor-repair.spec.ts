import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Instance } from '../support/api.ts';
import { run } from '../support/command.ts';
import { Damage, killAll, UNKNOWN } from '../support/damage.ts';
import { diagnose, runDoctor, summarise } from '../support/doctor.ts';
import { query } from '../support/instance-client.ts';
import { getInstallation, IMAGE_UID_BASE, INSTANCE_UID_BASE } from '../support/installation.ts';
import { listProcessesOf, signal } from '../support/processes.ts';
import { useServer } from '../support/use-server.ts';

const server = useServer();
const damage = new Damage(server);
let instance: Instance;
let other: Instance;

/** Paths below the data directory. */
const at = (...parts: string[]): string => join(getInstallation().data, ...parts);

beforeAll(async () => {
  instance = await server.api.createInstance(inject('e2e').imageId);
  other = await server.api.createInstance(inject('e2e').imageId);
});

afterEach(async () => {
  await damage.undo();
  expect(await diagnose()).toMatchObject({ ok: true, findings: [] });
});

describe('doctor --fix', () => {
  /** The damage, what is found, what is done about it. */
  const cases: [string, () => Promise<unknown>, () => string[], string][] = [
    [
      'an instance whose Postgres was killed',
      () => killAll(INSTANCE_UID_BASE + instance.id),
      () => [
        `I1 instance ${instance.id}: does not answer on 127.0.0.1:${instance.port}: nobody listens`,
        `I1 instance ${instance.id}: does not answer on [::1]:${instance.port}: nobody listens`,
        `I3 instance ${instance.id}: is ready, but its postmaster does not run`,
      ],
      'started the instance',
    ],
    [
      'what runs of an instance that does not exist',
      () => damage.startStray(INSTANCE_UID_BASE + UNKNOWN),
      () => [`I3 instance ${UNKNOWN}: a process (sleep) of its uid, though it has no record`],
      'ended what ran under its uid and removed its run files and empty directories',
    ],
    [
      'run files and an empty configuration of an instance that does not exist',
      async () => {
        await mkdir(at('instance_config', `${UNKNOWN + 1}`));
        for (const suffix of ['pid', 'mounts']) {
          await writeFile(join(getInstallation().run, 'instances', `${UNKNOWN + 1}.${suffix}`), '1\n');
        }
      },
      () => [
        `leftovers instance ${UNKNOWN + 1}: configuration instance_config/${UNKNOWN + 1} has no record`,
        `leftovers instance ${UNKNOWN + 1}: run file ${UNKNOWN + 1}.mounts is left`,
        `leftovers instance ${UNKNOWN + 1}: run file ${UNKNOWN + 1}.pid is left`,
      ],
      'ended what ran under its uid and removed its run files and empty directories',
    ],
    [
      'what an ended preparation has left',
      async () => {
        await run(['btrfs', '-q', 'subvolume', 'create', at('image_work', `${UNKNOWN + 2}`)]);
        await mkdir(join(getInstallation().run, 'images', `${UNKNOWN + 2}`));
        await damage.startStray(IMAGE_UID_BASE + UNKNOWN + 2);
      },
      () => [
        `I2 image ${UNKNOWN + 2}: an ended preparation has left its clone image_work/${UNKNOWN + 2}`,
        `I3 image ${UNKNOWN + 2}: a process (sleep) of its uid, though it is not being prepared`,
        `I7 image ${UNKNOWN + 2}: a process of its uid has the network of the host`,
        `leftovers image ${UNKNOWN + 2}: run file ${UNKNOWN + 2} is left`,
      ],
      'ended what ran for its preparation and removed its clone and run files',
    ],
  ];

  it('repairs each of these, and says how', async () => {
    await damage.stopServer();
    for (const [, inflict] of cases) await inflict();
    const expected = cases.flatMap(([, , lines]) => lines()).sort();
    expect(summarise(await diagnose()).sort()).toEqual(expected);
    const diagnosis = await diagnose('--fix');
    expect(summarise(diagnosis).sort()).toEqual(expected);
    expect(diagnosis.ok).toBe(true);
    for (const [what, , lines, done] of cases) {
      const own = diagnosis.findings.filter((finding) =>
        lines().includes(summarise({ findings: [finding] })[0] ?? ''),
      );
      expect(own, what).toHaveLength(lines().length);
      for (const finding of own) expect(finding, what).toMatchObject({ fixed: true });
      expect(
        own.map((finding) => finding.done),
        what,
      ).toContain(done);
    }
    expect(await query(instance, 'SELECT 1')).toEqual([1]);
  });

  it('keeps all data', async () => {
    const path = at('instances', `${UNKNOWN}`);
    await run(['btrfs', '-q', 'subvolume', 'create', path]);
    damage.undoBy(() => run(['btrfs', '-q', 'subvolume', 'delete', path]));
    await writeFile(join(path, 'kept'), 'kept');
    await damage.startStray(INSTANCE_UID_BASE + UNKNOWN);
    const { ok, findings } = await diagnose('--fix');
    expect(ok).toBe(false);
    expect(findings.map(({ fixed }) => fixed)).toEqual([false, false]);
    expect(await readFile(join(path, 'kept'), 'utf8')).toBe('kept');
    expect(await listProcessesOf(INSTANCE_UID_BASE + UNKNOWN)).toHaveLength(1);
  });
});

describe('doctor without a server', () => {
  it('finds what is silent, what has a port, and what stands still; --fix starts the instances', async () => {
    await damage.stopServer();
    for (const { pid } of await listProcessesOf(INSTANCE_UID_BASE + other.id)) signal(pid, 'SIGSTOP');
    await killAll(INSTANCE_UID_BASE + instance.id);
    const beyondRepair = new Damage(server);
    await beyondRepair.insertImage(UNKNOWN, 'destroying');
    await beyondRepair.listen('0.0.0.0', instance.port);
    try {
      const [diagnosis, { exitCode, stdout }] = await Promise.all([diagnose(), runDoctor()]);
      const ofOther = diagnosis.findings.filter(({ object }) => object === `instance ${other.id}`);
      expect(new Set(ofOther.map(({ message }) => message.split(': ')[1]))).toEqual(
        new Set(['Postgres does not answer in time']),
      );
      const rest = diagnosis.findings.filter((finding) => !ofOther.includes(finding));
      expect(summarise({ findings: rest })).toEqual([
        `I1 instance ${instance.id}: does not answer on 127.0.0.1:${instance.port}: Postgres does not answer in time`,
        `I1 instance ${instance.id}: does not answer on [::1]:${instance.port}: nobody listens`,
        `I3 instance ${instance.id}: is ready, but its postmaster does not run`,
        `I4 port ${instance.port}: uid 0 listens on the port of instance ${instance.id}, IPv4`,
        `records image ${UNKNOWN}: is destroying, and nobody is at work on it`,
      ]);
      expect(rest[0]?.hint).toMatch('draupnir doctor --fix');
      expect(exitCode).toBe(1);
      expect(stdout).toMatch(/^I1 instance \d+: .*\n {3}hint: /);
    } finally {
      await beyondRepair.undo();
    }
    expect(await diagnose('--fix')).toMatchObject({ ok: true });
    for (const each of [instance, other]) expect(await query(each, 'SELECT 1')).toEqual([1]);
  });
});
