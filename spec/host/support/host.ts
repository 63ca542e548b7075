import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CommandOptions,
  type Outcome,
  PATH,
  removeTrees,
  run,
  runCommand,
} from '../../e2e/support/command.ts';
import { mountVolume, unmountVolume } from '../../e2e/support/volume.ts';
import { waitUntil } from '../../e2e/support/wait.ts';

const PARENT = '/var/lib';
/** Its number is that of the process that made it. */
const PREFIX = 'draupnir-host-';
const BOOT_MS = 120_000;

/**
 * A Debian host of its own, booted by a real systemd in a container (systemd-nspawn(1)): its own processes, network, and users, the data
 * volume at /draupnir, and the kernel of this machine.
 */
export class Host {
  readonly #dir: string;
  #container: ChildProcess | undefined;
  #leader = '';

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Unpacks `debian`, a tar of a root directory, makes an empty volume, and boots. */
  static async create(debian: string): Promise<Host> {
    await removeStale();
    const host = new Host(await mkdtemp(join(PARENT, `${PREFIX}${process.pid}-`)));
    try {
      await mkdir(host.root, { mode: 0o755 });
      await run(['tar', '-C', host.root, '--numeric-owner', '-xpf', debian]);
      await mountVolume(host.#volume);
      await host.boot();
      return host;
    } catch (error) {
      await host.remove();
      throw error;
    }
  }

  /** Its root directory, as this machine sees it. */
  get root(): string {
    return join(this.#dir, 'root');
  }

  get #volume(): { volume: string; data: string } {
    return { volume: join(this.#dir, 'volume.img'), data: join(this.#dir, 'data') };
  }

  /** Boots and waits until all its units have started, or failed. */
  async boot(): Promise<void> {
    const console = await open(join(this.#dir, 'console.log'), 'a');
    const args = [
      '--quiet',
      '--boot',
      '--register=no',
      '--keep-unit',
      '--settings=no',
      '--private-network',
      '--capability=all',
    ];
    this.#container = spawn(
      'systemd-nspawn',
      [...args, '--console=pipe', `--directory=${this.root}`, `--bind=${this.#volume.data}:/draupnir`],
      { stdio: ['ignore', console.fd, console.fd], env: { PATH }, detached: true },
    );
    await console.close();
    await waitUntil(
      'the host has booted',
      async () => {
        const { exitCode, signalCode } = this.#container ?? {};
        if (typeof exitCode === 'number' || typeof signalCode === 'string') {
          throw new Error(
            `systemd-nspawn ended with ${exitCode ?? signalCode}: see ${join(this.#dir, 'console.log')}`,
          );
        }
        this.#leader = (await this.#findInit()) ?? '';
        if (this.#leader === '') return false;
        const { stdout } = await this.runCommand(['systemctl', 'is-system-running']);
        return /^(running|degraded)$/m.test(stdout);
      },
      BOOT_MS,
    );
  }

  /** The child of the container that is the first process of a namespace of its own: before it there are others for a moment. */
  async #findInit(): Promise<string | undefined> {
    const pid = this.#container?.pid ?? 0;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    for (const child of children.split(' ').filter(Boolean)) {
      const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '');
      if (/^NSpid:\t\d+\t1$/m.test(status)) return child;
    }
    return undefined;
  }

  /** Shuts down as `poweroff` does, and waits for the end. */
  async powerOff(): Promise<void> {
    const container = this.#container;
    if (container === undefined) return;
    const ended = container.exitCode === null ? once(container, 'exit') : undefined;
    await this.runCommand(['systemctl', 'poweroff']);
    await ended;
    this.#container = undefined;
  }

  /** Runs a program in there, as root unless another user is given, to its end, whatever that is. */
  runCommand(argv: readonly string[], { user, ...options }: CommandOptions = {}): Promise<Outcome> {
    const as = user === undefined ? [] : ['runuser', '-u', user, '--'];
    return runCommand([...this.#enter(), ...as, ...argv], {
      ...options,
      env: { HOME: '/root', ...options.env },
    });
  }

  /** The same for one that has to succeed: resolves to its stdout. */
  async run(argv: readonly string[], { user, ...options }: CommandOptions = {}): Promise<string> {
    const outcome = await this.runCommand(argv, { ...options, ...(user === undefined ? {} : { user }) });
    if (outcome.exitCode === 0) return outcome.stdout;
    throw new Error(
      `${argv.slice(0, 4).join(' ')} ended with ${outcome.exitCode ?? 'a signal'}:\n${outcome.stdout}${outcome.stderr}`,
    );
  }

  /** Runs lines of sh that stop at the first failure. */
  sh(lines: string, options: CommandOptions = {}): Promise<string> {
    return this.run(['bash', '-euo', 'pipefail', '-c', lines], options);
  }

  /** Removes all of it. */
  async remove(): Promise<void> {
    const container = this.#container;
    if (container !== undefined && container.exitCode === null && container.signalCode === null) {
      const ended = once(container, 'exit');
      // With its init everything in there ends (pid_namespaces(7)).
      if (this.#leader !== '') await runCommand(['kill', '-KILL', this.#leader]);
      else container.kill('SIGKILL');
      await ended;
    }
    await removeCgroups();
    await removeFiles(this.#dir);
  }

  #enter(): string[] {
    return [
      'nsenter',
      '--target',
      this.#leader,
      '--mount',
      '--uts',
      '--ipc',
      '--net',
      '--pid',
      '--cgroup',
      '--root',
      '--wd',
      '--',
    ];
  }
}

/** Removes what runs that were killed have left. */
async function removeStale(): Promise<void> {
  for (const name of (await readdir(PARENT)).filter((each) => each.startsWith(PREFIX))) {
    const pid = /^\d+/.exec(name.slice(PREFIX.length))?.[0] ?? '';
    if ((await runCommand(['kill', '-0', pid])).exitCode === 0) continue;
    // Its init, and with that all, ends with it.
    await runCommand(['pkill', '-KILL', '-f', `systemd-nspawn .*--directory=${join(PARENT, name)}/root`]);
    await removeFiles(join(PARENT, name));
  }
}

/** With --keep-unit systemd-nspawn makes control groups below its caller's, and leaves them. One that is in use cannot be removed. */
async function removeCgroups(): Promise<void> {
  const own = (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\n');
  const parents = own.flatMap((line) => {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const hierarchies = ['', 'unified', controllers.replace(/^name=/, '')];
    return hierarchies.map((name) => join('/sys/fs/cgroup', name, path));
  });
  const groups = parents.flatMap((parent) => [join(parent, 'payload'), join(parent, 'supervisor')]);
  await runCommand(['find', ...new Set(groups), '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
}

async function removeFiles(dir: string): Promise<void> {
  await unmountVolume(join(dir, 'data'));
  await removeTrees(dir);
}
