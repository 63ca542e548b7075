import { chmod, chown, cp, mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Outcome, runCommand, startCommand } from './support/command.ts';
import { HeldScript } from './support/held-script.ts';
import { type HostState, readHostState } from './support/host-state.ts';
import { getInstallation, SERVER_USER } from './support/installation.ts';
import { signal } from './support/processes.ts';
import { callScript } from './support/script.ts';
import { useServer } from './support/use-server.ts';
import { waitUntil } from './support/wait.ts';

useServer();

const EX_USAGE = 64;
const EX_CONFIG = 78;

/** The scripts whose one argument is an id. */
const ID_SCRIPTS = [
  'draupnir-create-image',
  'draupnir-finalise-image',
  'draupnir-destroy-image',
  'draupnir-read-credentials',
  'draupnir-start-instance',
  'draupnir-stop-instance',
  'draupnir-destroy-instance',
];

/** Arguments of a script with an id that no script may act upon. */
const HOSTILE: [string, string[]][] = [
  ['nothing', []],
  ['an empty text', ['']],
  ['zero', ['0']],
  ['a negative number', ['-1']],
  ['a leading zero', ['007']],
  ['a leading space', [' 7']],
  ['a trailing space', ['7 ']],
  ['a trailing tab', ['7\t']],
  ['a line end', ['7\n']],
  ['two lines', ['7\n8']],
  ['a hexadecimal number', ['0x10']],
  ['an exponent', ['1e3']],
  ['a sum', ['1+1']],
  ['a fraction', ['7.0']],
  ['more digits than an id has', ['1234567890']],
  ['a very long number', ['9'.repeat(5000)]],
  ['digits of another script', ['\u0667']],
  ['a command behind it', ['7;id']],
  ['a substitution', ['$(id)']],
  ['a path', ['../1']],
  ['a path behind it', ['1/../2']],
  ['an absolute path', ['/etc']],
  ['a pattern', ['*']],
  ['an option', ['--help']],
  ['an array subscript', ['a[$(id)]']],
  ['two numbers', ['7', '8']],
  ['two numbers in one', ['7 8']],
  ['a number and an empty text', ['7', '']],
];

/** The same for the one that takes an id, the id of an image and a port. */
const HOSTILE_TRIPLES: [string, string[]][] = [
  ['two numbers', ['9001', '1']],
  ['four numbers', ['9001', '1', '21500', '1']],
  ['all in one', ['9001 1 21500']],
  ['two in one', ['9001 1', '21500']],
  ['a port below 1024', ['9001', '1', '1023']],
  ['a port above 65535', ['9001', '1', '65536']],
  ['a port of six digits', ['9001', '1', '215000']],
  ['a port with a zero in front', ['9001', '1', '021500']],
  ['an image that is a path', ['9001', '../1', '21500']],
  ['an image that is no number', ['9001', '1x', '21500']],
  ['an id that is a path', ['../../etc', '1', '21500']],
];

let before: HostState;

beforeAll(async () => {
  before = await readHostState();
});

afterAll(async () => {
  expect(await readHostState()).toEqual(before);
});

/** As root, without sudo in front: the script's own check. */
function callDirectly(
  name: string,
  args: readonly string[],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<Outcome> {
  return runCommand([join(getInstallation().scripts, name), ...args], options);
}

function expectSudoRefusal({ exitCode, stderr }: Outcome): void {
  expect(exitCode).toBe(1);
  expect(stderr).toContain('sudo: a password is required');
}

describe.each(ID_SCRIPTS)('%s', (script) => {
  it.each(HOSTILE)('is not run by sudo for %s', async (_what, args) => {
    const outcome = await callScript(script, args, '');
    // sudo joins arguments by spaces before it looks: an empty one at the end can pass for a lone space at most.
    expectSudoRefusal(outcome);
  });

  it.each(HOSTILE)('refuses %s itself', async (_what, args) => {
    expect(await callDirectly(script, args)).toMatchObject({
      exitCode: EX_USAGE,
      stdout: '',
      stderr: `${script}: usage: ${script} ID\n`,
    });
  });
});

describe('draupnir-create-instance', () => {
  const ALL = [
    ...HOSTILE_TRIPLES,
    ...HOSTILE.map(([what, args]) => [what, [...args, '1', '21500']] as [string, string[]]),
  ];

  it.each(ALL)('refuses %s itself', async (_what, args) => {
    expect(await callDirectly('draupnir-create-instance', args)).toMatchObject({
      exitCode: EX_USAGE,
      stdout: '',
    });
  });

  it.each(ALL)('does nothing through sudo for %s', async (_what, args) => {
    const { exitCode, stdout } = await callScript('draupnir-create-instance', args, '');
    expect([1, EX_USAGE]).toContain(exitCode);
    expect(stdout).toBe('');
  });

  const PEM = '-----BEGIN X-----\nx\n-----END X-----\n';

  it.each([
    ['nothing', ''],
    ['half of it', `${PEM}\f${PEM}`],
    ['what is not PEM', 'x\fx\fx\f'],
    ['bytes that are no text', `${'\u0000\u0001\ufffd'.repeat(100)}\f`],
    ['more than a key can have', 'x'.repeat(200_000)],
    ['a PEM that never ends', `-----BEGIN ${'x'.repeat(200_000)}`],
  ])('makes nothing when its stdin holds %s', async (_what, input) => {
    const { exitCode, stdout } = await callScript('draupnir-create-instance', ['9001', '1', '21500'], input);
    expect([65, 66]).toContain(exitCode);
    expect(stdout).toBe('');
    expect(await readHostState()).toEqual(before);
    expect(await readdir(getInstallation().run)).not.toContain('instance-9001.lock');
  });
});

describe.each(['draupnir-adopt-data', 'draupnir-inspect'])('%s', (script) => {
  it.each([['1'], [''], ['--help'], ['1', '2']])('takes no arguments: %j', async (...args) => {
    expectSudoRefusal(await callScript(script, args));
    expect(await callDirectly(script, args)).toMatchObject({ exitCode: EX_USAGE, stdout: '' });
  });
});

describe('a script that was started in advance', () => {
  const hostileLines = [...HOSTILE, ...HOSTILE_TRIPLES]
    .map(([what, args]) => [what, args.join(' ')])
    // Of two lines the first is taken, and the rest is what else there is on stdin; joined by spaces, some are as they should be.
    .filter(([, line]) => !line?.includes('\n') && line !== '9001 1 21500');

  it.each(hostileLines)('does nothing when stdin brings %s', async (_what, line) => {
    for (const script of ['draupnir-create-instance', 'draupnir-destroy-instance']) {
      const outcome = await callScript(script, ['wait'], `${line}\n`);
      expect(outcome).toMatchObject({ exitCode: EX_USAGE, stdout: 'waiting\n' });
    }
  });

  it.each(['', '9001', '9001 1 21500'])('was not needed when stdin ends with "%s"', async (text) => {
    for (const script of ['draupnir-create-instance', 'draupnir-destroy-instance']) {
      const nothing = { exitCode: 0, stdout: 'waiting\n', stderr: '' };
      expect(await callScript(script, ['wait'], text)).toMatchObject(nothing);
    }
    expect(await readHostState()).toEqual(before);
  });

  it('is known at work by the lock of its object, and ended by the next one when it does not go on', async () => {
    const { run: runPath, scripts } = getInstallation();
    const holder = startCommand(['flock', '-F', join(runPath, 'instance-9001.lock'), 'sleep', '600']);
    const first = startCommand([join(scripts, 'draupnir-destroy-instance'), 'wait'], { input: '9001\n' });
    await waitUntil('it is at work', async () =>
      (await callDirectly('draupnir-inspect', [])).stdout.includes('busy\tinstance\t9001\n'),
    );
    signal(first.pid, 'SIGSTOP');
    signal(holder.pid, 'SIGKILL');
    expect(await callScript('draupnir-destroy-instance', ['9001'])).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
    expect((await first.outcome).exitCode).toBeUndefined();
  });

  it('begins anew where the scripts were replaced while it waited', async () => {
    const { scratch, scripts } = getInstallation();
    const copy = join(scratch, 'scripts-replaced');
    await cp(scripts, copy, { recursive: true });
    const path = join(copy, 'draupnir-destroy-instance');
    const script = new HeldScript(path, ['wait']);
    await script.waitFor(/^waiting$/m);
    await writeFile(`${path}.new`, '#!/bin/bash\necho "replaced: $*"\n', { mode: 0o755 });
    await rename(`${path}.new`, path);
    script.write('9001\n');
    expect(await script.exited()).toBe(0);
    expect(script.stdout).toBe('waiting\nreplaced: 9001\n');
  });

  it.each(['draupnir-start-instance', 'draupnir-create-image'])('is not %s', async (script) => {
    expectSudoRefusal(await callScript(script, ['wait'], '7\n'));
  });
});

describe('sudo', () => {
  it.each([
    ['what looks for a sandbox', ['lib/probe-sandbox.sh']],
    ['what makes a sandbox', ['lib/enter-sandbox', '/tmp/mounts', '/']],
    ['what limits system calls', ['lib/exec-filtered', '--no-filter', '--', 'id']],
    ['a library', ['lib/common.sh']],
    ['its own configuration', ['host.conf']],
  ])('does not run %s', async (_what, [name = '', ...args]) => {
    const { scripts } = getInstallation();
    const outcome = await runCommand(['sudo', '-n', '--', `${scripts}/${name}`, ...args], {
      user: SERVER_USER,
    });
    expect([1, 126]).toContain(outcome.exitCode);
    expect(outcome.stdout).toBe('');
    expect(outcome.stderr).toMatch(/a password is required|command not found/);
  });

  it.each(['./', 'lib/../'])('runs a script by a detour (%s) as the very script it is', async (detour) => {
    const script = `${getInstallation().scripts}/${detour}draupnir-stop-instance`;
    const outcome = await runCommand(['sudo', '-n', '--', script, '9001'], { user: SERVER_USER });
    expect(outcome).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    expectSudoRefusal(await runCommand(['sudo', '-n', '--', script, '7;id'], { user: SERVER_USER }));
  });

  it.each([['bash'], ['cat', '/etc/shadow'], ['-u', 'nobody', 'true'], ['-E', 'true']])(
    'does not run %s',
    async (...argv) => {
      expectSudoRefusal(await runCommand(['sudo', '-n', ...argv], { user: SERVER_USER }));
    },
  );

  it.each(['LD_PRELOAD=/tmp/evil.so', 'BASH_ENV=/tmp/evil', 'PATH=/tmp', 'SHELLOPTS=xtrace'])(
    'takes no %s',
    async (setting) => {
      const script = join(getInstallation().scripts, 'draupnir-stop-instance');
      const outcome = await runCommand(['sudo', '-n', setting, script, '9001'], { user: SERVER_USER });
      expect(outcome.exitCode).toBe(1);
      expect(outcome.stderr).toMatch(
        /not allowed to set the following environment variables|password is required/,
      );
    },
  );
});

describe('a script', () => {
  it('takes nothing from the environment of its caller, with sudo or without', async () => {
    const { scratch, scripts } = getInstallation();
    const folder = join(scratch, 'environment');
    const proof = join(folder, 'proof');
    await mkdir(folder);
    for (const name of ['evil', 'bash', 'stat', 'btrfs', 'flock', 'rm', 'mount', 'unshare', 'setpriv']) {
      await writeFile(join(folder, name), `#!/bin/sh\nid >>${proof}\n`, { mode: 0o755 });
    }
    await chmod(folder, 0o777);
    const env = {
      PATH: folder,
      BASH_ENV: join(folder, 'evil'),
      ENV: join(folder, 'evil'),
      SHELLOPTS: 'xtrace',
      PS4: `$(id >>${proof})`,
      IFS: '/0',
      'BASH_FUNC_stat%%': `() { id >>${proof}; }`,
      'BASH_FUNC_main%%': `() { id >>${proof}; }`,
      LD_LIBRARY_PATH: folder,
      TMPDIR: folder,
      DATA_PATH: folder,
      RUN_PATH: folder,
      SCRIPTS: folder,
    };
    const script = join(scripts, 'draupnir-stop-instance');
    for (const argv of [
      [script, '9001'],
      ['/usr/bin/sudo', '-n', '--', script, '9001'],
    ]) {
      const user = argv.length > 2 ? { user: SERVER_USER } : {};
      const command = [
        '/usr/bin/env',
        ...Object.entries(env).map(([key, value]) => `${key}=${value}`),
        ...argv,
      ];
      const outcome = await runCommand(command, user);
      expect(outcome).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    }
    await expect(readFile(proof)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('runs in a directory that is gone, and without stdin, stdout and stderr', async () => {
    const script = join(getInstallation().scripts, 'draupnir-destroy-instance');
    const gone = `d=$(mktemp -d) && cd "$d" && rmdir "$d" && exec sudo -n -- '${script}' 9001`;
    expect(await runCommand(['bash', '-c', gone], { user: SERVER_USER })).toMatchObject({ exitCode: 0 });
    const closed = `exec sudo -n -- '${script}' 9001 <&- >&- 2>&-`;
    expect(await runCommand(['bash', '-c', closed], { user: SERVER_USER })).toMatchObject({ exitCode: 0 });
  });

  it('leaves no lock of what it destroyed', async () => {
    await callScript('draupnir-destroy-instance', ['9001']);
    await callScript('draupnir-destroy-image', ['9001']);
    const names = await readdir(getInstallation().run);
    expect(names.filter((name) => name.includes('9001'))).toEqual([]);
  });

  describe('whose host.conf', () => {
    let copy = '';
    const stop = (): Promise<Outcome> => runCommand([join(copy, 'draupnir-stop-instance'), '9001']);

    beforeAll(async () => {
      const { scratch, scripts } = getInstallation();
      copy = join(scratch, 'scripts-copy');
      await cp(scripts, copy, { recursive: true });
    });

    it('is as it should be runs', async () => {
      expect(await stop()).toMatchObject({ exitCode: 0 });
    });

    it.each([
      ['may be written by everybody', (conf: string) => chmod(conf, 0o646)],
      ['may be written by its group', (conf: string) => chmod(conf, 0o664)],
      ['belongs to somebody else', (conf: string) => chown(conf, 65534, 0)],
      ['is missing', (conf: string) => rm(conf)],
      [
        'is a link to one of somebody else',
        async (conf: string) => {
          const other = join(copy, 'other');
          await writeFile(other, await readFile(join(getInstallation().scripts, 'host.conf')));
          await chown(other, 65534, 0);
          await rm(conf, { force: true });
          await symlink(other, conf);
        },
      ],
      ['lacks a path', (conf: string) => rewrite(conf, (text) => text.replace(/^RUN_PATH=.*$/m, ''))],
      [
        'has a path with a space',
        (conf: string) => rewrite(conf, (text) => text.replace(/^RUN_PATH=.*$/m, "RUN_PATH='/run/a b'")),
      ],
      [
        'has a relative path',
        (conf: string) => rewrite(conf, (text) => text.replace(/^RUN_PATH=.*$/m, 'RUN_PATH=run')),
      ],
      [
        'limits memory by a word',
        (conf: string) => rewrite(conf, (text) => `${text}INSTANCE_MEMORY_MAX=lots\n`),
      ],
      [
        'limits processes by zero',
        (conf: string) => rewrite(conf, (text) => `${text}INSTANCE_TASKS_MAX=0\n`),
      ],
      [
        'has control groups elsewhere',
        (conf: string) => rewrite(conf, (text) => `${text}CGROUP=../../etc\n`),
      ],
    ])('%s refuses to run', async (_what, change) => {
      const conf = join(copy, 'host.conf');
      await change(conf);
      const { exitCode, stdout } = await stop();
      expect([EX_CONFIG, 1]).toContain(exitCode);
      expect(stdout).toBe('');
      await rm(conf, { force: true });
      await cp(join(getInstallation().scripts, 'host.conf'), conf);
    });

    it('is right runs through a link to its folder as well', async () => {
      const link = join(getInstallation().scratch, 'scripts-link');
      await symlink(copy, link);
      expect(await runCommand([join(link, 'draupnir-stop-instance'), '9001'])).toMatchObject({ exitCode: 0 });
    });
  });
});

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(file, 'utf8');
  await writeFile(file, change(text));
}
