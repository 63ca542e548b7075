import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Outcome, PATH } from './support/command.ts';
import { type Diagnosis, summarise } from './support/doctor.ts';
import { getInstallation } from './support/installation.ts';
import { PlaygroundHost } from './support/playground-host.ts';
import { ANONYMISE } from './support/source.ts';
import { waitUntil } from './support/wait.ts';

let host: PlaygroundHost;
let a: string;
let b: string;

/** What of an installation is its own. */
const OWN = /^(RUN_PATH|UPLOAD_USER|.*_UID_BASE|.*_INSTANCE_PORT|CGROUP|CHAIN_PREFIX)=/;

const quickstart = (dir: string, ...options: string[]): Promise<Outcome> =>
  host.runCommand([getInstallation().program, 'quickstart', '--dir', dir, ...options]);

/** The same for one that has to succeed. */
async function setUp(dir: string, ...options: string[]): Promise<void> {
  const { exitCode, stderr } = await quickstart(dir, '--no-sample', ...options);
  if (exitCode !== 0)
    throw new Error(`quickstart in ${dir} ended with ${exitCode ?? 'a signal'}:\n${stderr}`);
}

const readHostConf = (dir: string): Promise<string> => readFile(join(dir, 'scripts/host.conf'), 'utf8');

async function readSetting(dir: string, key: string): Promise<string> {
  const value = new RegExp(`^${key}=(.*)$`, 'm').exec(await readHostConf(dir))?.[1];
  if (value === undefined) throw new Error(`${dir} has no ${key}`);
  return value;
}

const cli = (dir: string, ...args: string[]): Promise<string> => host.run([join(dir, 'draupnir'), ...args]);

async function diagnose(dir: string, ...args: string[]): Promise<Diagnosis> {
  const argv = [
    join(dir, 'bin/draupnir'),
    'doctor',
    '--json',
    '--config',
    join(dir, 'etc/config.toml'),
    ...args,
  ];
  return JSON.parse((await host.runCommand(argv)).stdout) as Diagnosis;
}

/** Asks an instance what one query answers. */
const query = (dir: string, id: number, sql: string): Promise<string> =>
  host.sh(`eval "$('${dir}/draupnir' env ${id})"; psql -qXAtc "${sql}"`);

/** Process id of the Postgres that works on an instance; a restart would change it. */
async function findPostmaster(dir: string, id: number): Promise<string> {
  // A process that Postgres has just forked looks the same: the oldest is the postmaster.
  return (await host.runCommand(['pgrep', '-of', `^[^ ]*postgres -D ${dir}/data/instances/${id} `])).stdout;
}

/** Runs a line of bash whose program has that user; waits until it is in that state (ps(1)). */
async function startAs(uid: number, state: string, line: string): Promise<ChildProcess> {
  const drop = `setpriv --reuid=${uid} --regid=${uid} --clear-groups --`;
  const [file = '', ...args] = host.inside(['bash', '-c', line.replace('sleep', `${drop} sleep`)]);
  const child = spawn(file, args, { stdio: 'ignore', env: { PATH } });
  await waitUntil('it is in that state', async () =>
    (await host.run(['ps', '-e', '-o', 'uid=,stat='])).split('\n').some((each) => {
      const [owner = '', found = ''] = each.trim().split(/\s+/);
      // A number above 2^31 is shown as a negative one.
      return Number(owner) >>> 0 === uid && found.startsWith(state);
    }),
  );
  return child;
}

/** From the upload to the image. */
async function prepareImage(dir: string): Promise<void> {
  const script = join(dir, 'anonymise.sql');
  await writeFile(script, ANONYMISE);
  const id = (await cli(dir, 'images', 'create', '2026-11-22T00:00:00Z', script)).trim().split(' ')[0] ?? '';
  const target = join(dir, 'data/image_uploads', id);
  const owner = await readSetting(dir, 'UPLOAD_USER');
  await host.run(['install', '-o', owner, '-m', '0644', '-t', target, ...inject('e2e').backup]);
  await cli(dir, 'images', 'finalise', id);
}

/** A session that stays open, as that of a developer. */
class Session {
  readonly #psql: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(dir: string, id: number) {
    const line = `eval "$('${dir}/draupnir' env ${id})" && exec psql -qXAt`;
    const [file = '', ...args] = host.inside(['bash', '--norc', '-c', line]);
    this.#psql = spawn(file, args, { env: { PATH } });
    this.#lines = createInterface({ input: this.#psql.stdout })[Symbol.asyncIterator]();
  }

  async ask(sql: string): Promise<unknown> {
    this.#psql.stdin.write(`${sql};\n`);
    return (await this.#lines.next()).value;
  }

  async end(): Promise<void> {
    const ended = once(this.#psql, 'close');
    this.#psql.stdin.end();
    await ended;
  }
}

beforeAll(async () => {
  host = await PlaygroundHost.create('two');
  [a, b] = [join(host.dir, 'a'), join(host.dir, 'b')];
  // At the same moment: neither is there yet when the other looks for it.
  await Promise.all([a, b].map((dir) => setUp(dir)));
});
afterAll(async () => {
  await Promise.all([a, b].map((dir) => quickstart(dir, '--down')));
  await host.remove();
});

describe('two installations on one host', () => {
  let session: Session;

  it('have nothing in common', async () => {
    const [one, other] = await Promise.all(
      [a, b].map(async (dir) => (await readHostConf(dir)).split('\n').filter((line) => OWN.test(line))),
    );
    expect(one).toHaveLength(8);
    expect(one?.filter((line) => other?.includes(line))).toEqual([]);
    for (const dir of [a, b]) {
      const { ok, checked } = await diagnose(dir);
      expect({ ok, others: Number(checked['I14']) > 0 }).toEqual({ ok: true, others: true });
    }
  });

  it('prepare images of the same number at the same time', async () => {
    await Promise.all([a, b].map(prepareImage));
    await Promise.all([a, b].map((dir) => cli(dir, 'instances', 'create')));
    for (const dir of [a, b])
      expect(await query(dir, 1, 'SELECT count(*) FROM shop.public.customers')).toBe('60\n');
  });

  it('leave instances of the other alone, when they destroy the same number and when doctor repairs', async () => {
    const before = await findPostmaster(b, 1);
    session = new Session(b, 1);
    expect(await session.ask('SELECT 1')).toBe('1');
    await cli(a, 'instances', 'destroy', '1');
    expect(await session.ask('SELECT 2')).toBe('2');
    expect(await diagnose(a, '--fix')).toMatchObject({ ok: true, findings: [] });
    expect(await session.ask('SELECT 3')).toBe('3');
    expect(await findPostmaster(a, 1)).toBe('');
    expect(await findPostmaster(b, 1)).toBe(before);
  });

  it('guard their ports and users by rules that stand beside each other', async () => {
    const apply = async (dir: string): Promise<string> =>
      (await host.run([join(dir, 'scripts/draupnir-apply-firewall')], { input: 'rules 0\nend\n' })) +
      (await host.run([join(dir, 'scripts/draupnir-block-egress')]));
    await Promise.all([a, b].map(apply));
    for (const dir of [a, b, a]) {
      expect(await apply(dir)).toBe('iptables unchanged\nip6tables unchanged\n'.repeat(2));
    }
  });

  it('keep their numbers, and what the operator has changed, when quickstart runs again', async () => {
    const changed = `${await readHostConf(a)}INSTANCE_MEMORY_MAX=2G\n`;
    await writeFile(join(a, 'scripts/host.conf'), changed);
    await setUp(a);
    expect(await readHostConf(a)).toBe(changed);
  });

  describe('when a third one has the numbers of one of them', () => {
    let third: string;

    beforeAll(async () => {
      await cli(a, 'instances', 'create');
      await query(a, 2, 'CREATE TABLE kept AS SELECT 42 AS answer');
      third = join(host.dir, 'third/scripts');
      await mkdir(third, { recursive: true });
      const conf = (await readHostConf(a)).replaceAll(a, join(host.dir, 'third'));
      await writeFile(join(third, 'host.conf'), conf, { mode: 0o644 });
      const rule = `nobody ALL=(root:root) NOPASSWD: ${third}/draupnir-inspect ""`;
      await host.sh(`echo '${rule}' >/etc/sudoers.d/third; chmod 0440 /etc/sudoers.d/third; visudo -q -c`);
    });

    it('are refused by quickstart, which names both and changes nothing', async () => {
      const before = await findPostmaster(a, 2);
      const { exitCode, stderr } = await quickstart(a, '--no-sample');
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`${a} uses the same as other installations on this host`);
      expect(stderr).toContain(`  ${third}: numeric users `);
      expect(stderr).toContain(`quickstart --renumber --dir ${a}\n`);
      expect(await findPostmaster(a, 2)).toBe(before);
      await setUp(b);
    });

    it('are reported by doctor, which repairs nothing then', async () => {
      const uid = Number(await readSetting(a, 'INSTANCE_UID_BASE')) + 77;
      const stranger = await startAs(uid, 'S', 'exec sleep 1000');
      const diagnosis = await diagnose(a, '--fix');
      expect(summarise(diagnosis)).toEqual([
        expect.stringMatching(`^I3 instance 77: `),
        expect.stringMatching(`^I14 installation ${third}: uses the same numeric users .*, ports `),
      ]);
      expect(diagnosis.findings.map(({ fixed, done }) => ({ fixed, done }))).toEqual([
        { fixed: false },
        { fixed: false },
      ]);
      expect(stranger.exitCode).toBeNull();
      await host.run(['pkill', '-KILL', '-U', String(uid)]);
      expect((await diagnose(b)).ok).toBe(true);
    });

    it('get others by --renumber, with which instances come back', async () => {
      await setUp(a, '--renumber');
      const base = await readSetting(a, 'INSTANCE_UID_BASE');
      expect((await readFile(join(third, 'host.conf'), 'utf8')).includes(base)).toBe(false);
      expect(await readHostConf(a)).toContain('INSTANCE_MEMORY_MAX=2G\n');
      await waitUntil('it is back', () =>
        query(a, 2, 'SELECT answer FROM kept').then(
          (text) => text === '42\n',
          () => false,
        ),
      );
      const pid = (await findPostmaster(a, 2)).trim();
      expect((await host.run(['stat', '-c', '%u', `/proc/${pid}`])).trim()).toBe(String(Number(base) + 2));
      expect(await diagnose(a)).toMatchObject({ ok: true, findings: [] });
      await cli(a, 'instances', 'create');
    });

    afterAll(() => host.run(['rm', '-r', '/etc/sudoers.d/third', third]));
  });

  it('remove nothing of the other when they are taken down', async () => {
    const [group, chains] = [await readSetting(a, 'CGROUP'), await readSetting(a, 'CHAIN_PREFIX')];
    const user = await readSetting(a, 'UPLOAD_USER');
    expect(await quickstart(a, '--down')).toMatchObject({ exitCode: 0 });
    expect(await session.ask('SELECT 4')).toBe('4');
    await session.end();
    expect(await diagnose(b)).toMatchObject({ ok: true, findings: [] });
    await cli(b, 'instances', 'create');
    const rules = await host.run(['iptables', '-S']);
    expect(rules).not.toContain(`${chains}-`);
    expect(rules).toContain(`${await readSetting(b, 'CHAIN_PREFIX')}-EGRESS`);
    expect(await host.run(['find', '/sys/fs/cgroup', '-type', 'd', '-name', group])).toBe('');
    expect(await host.runCommand(['grep', '-r', `${a}/`, '/etc/sudoers.d'])).toMatchObject({ exitCode: 1 });
    expect(await host.runCommand(['id', user])).toMatchObject({ exitCode: 1 });
    await host.run(['id', await readSetting(b, 'UPLOAD_USER')]);
  });

  it('are shut down once no process of theirs is left; one that has ended does not count', async () => {
    const uid = Number(await readSetting(b, 'INSTANCE_UID_BASE')) + 77;
    const shutDown = () => host.runCommand([join(b, 'scripts/draupnir-shut-down')]);
    const server = `^${b}/bin/draupnir server `;
    await host.run(['pkill', '-f', server]);
    await waitUntil(
      'the server has stopped',
      async () => (await host.runCommand(['pgrep', '-f', server])).exitCode === 1,
    );
    await startAs(uid, 'S', 'exec sleep 1000');
    expect(await shutDown()).toMatchObject({
      exitCode: 70,
      stderr: expect.stringContaining('still run') as string,
    });
    await host.run(['pkill', '-KILL', '-U', String(uid)]);
    // Its parent becomes a program that does not wait for it.
    const parent = await startAs(uid, 'Z', 'sleep 0.1 & exec tail -f /dev/null');
    expect(await shutDown()).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    parent.kill();
  });
});
