import {
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Outcome, run, runCommand, startCommand } from './support/command.ts';
import { getInstallation, SERVER_USER, UPLOAD_USER } from './support/installation.ts';
import { getProcessStatus, signal } from './support/processes.ts';
import { Server } from './support/server.ts';
import { writeServerConfig } from './support/server-config.ts';
import { waitUntil } from './support/wait.ts';

// I15: root follows no link that another user can place. A link that is planted leads to `target`, a file of root's, or to `missing`.

const EX_CONFIG = 78;

let folder = '';
let target = '';
let missing = '';
/** Belongs to the server's user. */
let foreign = '';

beforeEach(async () => {
  folder = await mkdtemp(join(getInstallation().scratch, 'links-'));
  target = join(folder, 'target');
  missing = join(folder, 'missing');
  foreign = join(folder, 'foreign');
  await run(['chmod', '0755', folder]);
  await writeFile(target, '# only root reads this\n', { mode: 0o600 });
  await run(['install', '-d', '-o', SERVER_USER, foreign]);
});

afterEach(async () => {
  expect(await readFile(target, 'utf8')).toBe('# only root reads this\n');
  const { uid, mode } = await stat(target);
  expect({ uid, mode: mode & 0o7777 }).toEqual({ uid: 0, mode: 0o600 });
  await expect(lstat(missing)).rejects.toMatchObject({ code: 'ENOENT' });
});

/** As the server's user, who has been taken over. */
async function plant(name: string, to: string): Promise<string> {
  const link = join(foreign, name);
  await run(['ln', '-sfn', to, link], { user: SERVER_USER });
  return link;
}

/** A configuration whose key, audit log and certificate are in the directory of the server's user. */
async function configure(name = 'planted.toml'): Promise<string> {
  const file = await writeServerConfig(getInstallation(), name);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replaceAll(`"${getInstallation().state}/`, `"${foreign}/`));
  return file;
}

/** Runs the program as root. */
function draupnir(...args: string[]): Promise<Outcome> {
  return runCommand([getInstallation().program, ...args]);
}

describe('a command of the server that root runs', () => {
  it.each([
    ['target', () => target],
    ['missing', () => missing],
  ])('does not follow a planted audit log (%s)', async (_name, to) => {
    await plant('audit.log', to());
    const config = await configure();
    const read = await draupnir('audit', '--config', config);
    expect(read).toMatchObject({ exitCode: 1, stdout: expect.not.stringContaining('only root') as unknown });
    expect(read.stderr).toContain('ELOOP');
    const served = await draupnir('server', '--config', config);
    expect(served.exitCode).toBe(1);
    expect(served.stderr).toContain('the audit log');
  });

  it.each([
    ['target', () => target],
    ['missing', () => missing],
  ])(
    'does not follow a planted encryption key (%s), and becomes the user who has planted it',
    async (_name, to) => {
      await plant('encryption.key', to());
      const config = await configure();
      for (const command of [['audit'], ['migrate'], ['config', 'check'], ['doctor'], ['server']]) {
        const { stdout, stderr } = await draupnir(...command, '--config', config);
        expect(stdout + stderr).not.toContain('only root');
      }
    },
  );

  it('does not read a planted certificate', async () => {
    const link = await plant('api.crt', target);
    const config = await configure();
    const text = await readFile(config, 'utf8');
    await writeFile(config, text.replace(/^tls_certificate = .*$/m, `tls_certificate = "${link}"`));
    for (const command of [['audit'], ['migrate'], ['config', 'check'], ['doctor'], ['server']]) {
      const { exitCode, stderr } = await draupnir(...command, '--config', config);
      expect({ command, exitCode }).toEqual({ command, exitCode: EX_CONFIG });
      expect(stderr).toContain('permission denied');
    }
  });

  it('becomes the server’s user, and makes files as that user', async () => {
    const config = await configure();
    const server = await Server.startAsRoot(getInstallation(), config);
    try {
      const uid = await run(['id', '-u', SERVER_USER]);
      expect((await getProcessStatus(server.pid, 'Uid')).split('\t')).toEqual(Array(4).fill(uid.trim()));
      for (const name of ['audit.log', 'encryption.key']) {
        expect((await lstat(join(foreign, name))).uid).toBe(Number(uid));
      }
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('stays root only where no other user can put a link in its way', async () => {
    const config = await configure();
    const open = join(foreign, 'of-root');
    await mkdir(open);
    const text = await readFile(config, 'utf8');
    await writeFile(config, text.replaceAll(`"${foreign}/`, `"${open}/`));
    for (const command of [['audit'], ['migrate'], ['config', 'check'], ['server']]) {
      const { exitCode, stderr } = await draupnir(...command, '--config', config);
      expect({ command, exitCode }).toEqual({ command, exitCode: EX_CONFIG });
      expect(stderr).toContain(`${foreign}: is the way to a file of the server`);
    }
    expect(await readdir(open)).toEqual([]);
  });
});

/**
 * The command line that runs a program with a /tmp of its own, in which the server's user has run `script`; prints what is there
 * afterwards. Processes end with it, and /etc stays as it is: a quickstart that is not refused makes users, and goes on.
 */
function besideTmp(script: string, argv: readonly string[]): string[] {
  const inside = `mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work
    mount -t overlay none -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
    mount -t tmpfs -o mode=1777 none /tmp
    setpriv --reuid=${SERVER_USER} --regid=${SERVER_USER} --clear-groups sh -c "$1"; shift
    "$@" >&2; code=$?; find /tmp -mindepth 1 -printf '%P %y %U %l\\n'; exit $code`;
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  return [...unshare, 'sh', '-c', inside, 'sh', script, ...argv];
}

describe('the directory for temporary files', () => {
  it.each([
    ['nothing', ':'],
    ['a link', 'ln -s /tmp/nowhere /tmp/jiti'],
    ['a directory', 'mkdir -m 0777 /tmp/jiti'],
  ])('stays as it was where %s was planted', async (_what, script) => {
    const { program } = getInstallation();
    // It ends the server when all that it would leave there is done.
    await plant('audit.log', missing);
    const config = await configure();
    const before = await runCommand(besideTmp(script, ['true']));
    const asServer = ['setpriv', `--reuid=${SERVER_USER}`, `--regid=${SERVER_USER}`, '--init-groups', '--'];
    const commands = [
      [program, 'migrate', '--config', config],
      [program, 'server', '--config', config],
      [program, 'quickstart', '--dir', '/tmp/quickstart'],
    ];
    for (const argv of commands) {
      for (const user of [[], asServer]) {
        const { stdout } = await runCommand(besideTmp(script, [...user, ...argv]));
        expect({ argv, user, left: stdout }).toEqual({ argv, user, left: before.stdout });
      }
    }
  });
});

describe('draupnir quickstart', () => {
  // Its directory may have 50 characters.
  const given = (): string => join(getInstallation().dir, 'given');
  const link = (): string => join(getInstallation().dir, 'link');

  beforeEach(async () => {
    await run(['install', '-d', '-o', SERVER_USER, given()]);
    await symlink(given(), link());
  });
  afterEach(() => run(['rm', '-r', given(), link()]));

  it.each([
    ['', given],
    ['--down', given],
    ['', () => join(given(), 'below')],
    ['--down', () => join(given(), 'below')],
    ['', link],
  ])('%s does nothing in or below a directory of another user', async (option, dir) => {
    const argv = [
      getInstallation().program,
      'quickstart',
      '--dir',
      dir(),
      ...(option === '' ? [] : [option]),
    ];
    expect(await runCommand(besideTmp(':', argv))).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `draupnir: ${dir()}: users other than root can write to ${given()}: choose a --dir below a directory that root alone can write, such as /var/lib\n`,
    });
    expect(await readdir(given())).toEqual([]);
  });
});

describe('the settings of the command line', () => {
  it('are not written by root through a link of another user', async () => {
    for (const to of [target, missing]) {
      const link = await plant('.draupnir', to);
      const outcome = await runCommand([getInstallation().program, 'config', 'set', 'database', 'x'], {
        env: { DRAUPNIR_SETTINGS: link },
      });
      expect(outcome).toMatchObject({ exitCode: 1, stdout: '' });
      expect(await readlink(link)).toBe(to);
    }
  });
});

describe('a script', () => {
  let scripts = '';
  const id = '9401';

  beforeEach(async () => {
    scripts = join(folder, 'scripts');
    await cp(getInstallation().scripts, scripts, { recursive: true });
  });

  async function setConf(values: Record<string, string>): Promise<void> {
    const file = join(scripts, 'host.conf');
    let text = await readFile(file, 'utf8');
    for (const [key, value] of Object.entries(values)) {
      text = text.replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`);
    }
    await writeFile(file, text);
  }

  const call = (name: string, ...args: string[]): Promise<Outcome> =>
    runCommand([join(scripts, name), ...args]);

  it.each([
    'draupnir-destroy-instance',
    'draupnir-stop-instance',
    'draupnir-destroy-image',
    'draupnir-tidy-image',
  ])('(%s) opens no lock in a run directory that another user can write, or replace', async (name) => {
    for (const lock of [`instance-${id}.lock`, `image-${id}.lock`]) await plant(lock, target);
    await run(['install', '-d', join(foreign, 'run')]);
    await symlink(foreign, join(folder, 'run-link'));
    for (const path of [foreign, join(foreign, 'run'), join(folder, 'run-link')]) {
      await setConf({ RUN_PATH: path });
      const { exitCode, stderr } = await call(name, id);
      expect({ path, exitCode }).toEqual({ path, exitCode: EX_CONFIG });
      expect(stderr).toContain(`users other than root can write to ${foreign}`);
    }
  });

  it.each([
    ['draupnir-destroy-instance', [id]],
    ['draupnir-adopt-data', []],
  ])(
    '(%s) makes the folders of an older installation root’s own before it works in them',
    async (name, args) => {
      const data = join(getInstallation().data, 'planted');
      await run(['btrfs', '-q', 'subvolume', 'create', data]);
      try {
        const folders = ['image_uploads', 'image_snapshots', 'instances'].map((name) => join(data, name));
        await mkdir(folders[0] ?? '');
        await run(['chown', '-R', `${SERVER_USER}:${UPLOAD_USER}`, data]);
        await run(['chmod', '-R', '0775', data]);
        await run(['ln', '-s', folder, folders[2] ?? ''], { user: SERVER_USER });
        await setConf({ DATA_PATH: data, RUN_PATH: join(folder, 'run') });
        expect((await call(name, ...args)).exitCode).toBe(EX_CONFIG);
        await run(['rm', folders[2] ?? '']);
        const { exitCode, stderr } = await call(name, ...args);
        expect(exitCode).toBe(0);
        expect(stderr).toBe('');
        const owners = await run(['stat', '-c', '%n %u %A', data, ...folders]);
        expect(owners).toBe(
          `${data} 0 drwxr-xr-x\n${folders[0]} 0 drwxr-x---\n${folders[1]} 0 drwx------\n${folders[2]} 0 drwx--x--x\n`,
        );
      } finally {
        await run(['btrfs', '-q', 'subvolume', 'delete', data]);
      }
    },
  );

  it('deletes and changes no subvolume that a link in a foreign directory leads to', async () => {
    const { data } = getInstallation();
    const own = join(data, 'planted');
    const other = join(data, 'bystander');
    const helper = (directory: string, ...args: string[]): Promise<Outcome> =>
      runCommand(['env', '-C', directory, 'perl', join(scripts, 'lib/nested-subvolume'), ...args]);
    await run(['btrfs', '-q', 'subvolume', 'create', own]);
    await run(['btrfs', '-q', 'subvolume', 'create', other]);
    await run(['btrfs', 'property', 'set', '-ts', other, 'ro', 'true']);
    try {
      await symlink(other, join(own, 'link'));
      await mkdir(join(own, 'plain'));
      await run(['btrfs', '-q', 'subvolume', 'create', join(own, 'nested')]);
      await run(['btrfs', 'property', 'set', '-ts', join(own, 'nested'), 'ro', 'true']);
      for (const name of ['link', './link', 'plain', '../bystander', other]) {
        expect((await helper(own, 'delete', name)).exitCode).not.toBe(0);
      }
      for (const name of ['link', './link', 'plain']) {
        expect((await helper(own, 'writable', name)).exitCode).not.toBe(0);
      }
      expect(await run(['btrfs', 'property', 'get', '-ts', other, 'ro'])).toBe('ro=true\n');
      expect(await helper(own, 'writable', './nested')).toMatchObject({ exitCode: 0 });
      expect(await run(['btrfs', 'property', 'get', '-ts', join(own, 'nested'), 'ro'])).toBe('ro=false\n');
      expect(await helper(own, 'delete', './nested')).toMatchObject({ exitCode: 0 });
      expect((await readdir(own)).sort()).toEqual(['link', 'plain']);
    } finally {
      await run(['btrfs', '-q', 'subvolume', 'delete', own, other]);
    }
  });

  it('destroys an image whose upload changes under its hands, and nothing else', async () => {
    const { data } = getInstallation();
    const other = join(data, 'bystander');
    await run(['btrfs', '-q', 'subvolume', 'create', other]);
    await run(['btrfs', '-q', 'subvolume', 'create', join(other, 'sub')]);
    const upload = join(data, 'image_uploads', id);
    await run(['btrfs', '-q', 'subvolume', 'create', upload]);
    await run(['chown', `${UPLOAD_USER}:`, upload]);
    // The user who uploads exchanges a directory for a link, for as long as there is an upload.
    const attack = `cd "$1" && mkdir a && for i in 1 2 3 4 5 6 7 8; do btrfs -q subvolume create a/sub$i; done
      btrfs -q subvolume create a/sub; echo begun; while mv -T a b && ln -s "$2" a && rm a && mv -T b a; do :; done`;
    const attacker = startCommand(['bash', '-c', attack, 'bash', upload, other], { user: UPLOAD_USER });
    try {
      await waitUntil(
        'the attack goes on',
        async () => (await stat(join(upload, 'a/sub')).catch(() => false)) !== false,
      );
      await waitUntil('the upload is gone', async () => {
        await runCommand([join(getInstallation().scripts, 'draupnir-destroy-image'), id]);
        return !(await readdir(join(data, 'image_uploads'))).includes(id);
      });
      await attacker.outcome;
      expect(await readdir(other)).toEqual(['sub']);
    } finally {
      signal(attacker.pid, 'SIGKILL');
      await run(['btrfs', '-q', 'subvolume', 'delete', join(other, 'sub'), other]);
    }
  });
});
