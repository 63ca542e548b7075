import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandOptions, type Outcome, PATH, run, runCommand } from './command.ts';
import { getInstallation, SERVER_USER, SLOT } from './installation.ts';
import { waitUntil } from './wait.ts';

/**
 * Gives the namespaces what a host has for itself: users and sudo rules in an /etc of its own, and its control groups. Users get
 * numbers that no run of these tests gives its own users, which would end all processes with theirs.
 */
const SET_UP = `
  ip link set lo up
  mount -t tmpfs tmpfs "$1"
  mkdir "$1/upper" "$1/work"
  mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
  defs=$(grep -v '^SYS_[UG]ID_' /etc/login.defs)
  printf '%s\\nSYS_UID_MIN %s\\nSYS_UID_MAX %s\\nSYS_GID_MIN %s\\nSYS_GID_MAX %s\\n' "$defs" "$2" "$3" "$2" "$3" >/etc/login.defs
  if [ -f /sys/fs/cgroup/cgroup.subtree_control ]; then
    printf '+memory +pids' >/sys/fs/cgroup/cgroup.subtree_control
    mkdir -p "/sys/fs/cgroup/$4"
    mount --bind "/sys/fs/cgroup/$4" /sys/fs/cgroup
  else
    for hierarchy in memory pids; do
      mkdir -p "/sys/fs/cgroup/$hierarchy/$4"
      mount --bind "/sys/fs/cgroup/$hierarchy/$4" "/sys/fs/cgroup/$hierarchy"
    done
  fi
  echo ready
  # As the first process it reaps those that have lost their parent; with it all of them end.
  read -r end
`;

/** The first of ten numbers for users; above those of the system's own, below the others that tests make. */
const FIRST_UID = 300 + 10 * SLOT;

/** The kernel, programs and disk of this host, with users, processes, mounts, network and control groups of its own. */
export class PlaygroundHost {
  /** Where installations may be made. */
  readonly dir: string;
  readonly #leader: ChildProcess;
  #init = '';

  private constructor(dir: string, leader: ChildProcess) {
    this.dir = dir;
    this.#leader = leader;
  }

  static async create(name: string): Promise<PlaygroundHost> {
    const dir = join(getInstallation().scratch, name);
    await mkdir(join(dir, 'etc'), { recursive: true });
    const namespaces = [
      '--pid',
      '--mount',
      '--uts',
      '--ipc',
      '--net',
      '--fork',
      '--mount-proc',
      '--kill-child',
    ];
    const args = [join(dir, 'etc'), String(FIRST_UID), String(FIRST_UID + 9), SERVER_USER];
    const leader = spawn(
      'unshare',
      [...namespaces, '--', 'bash', '--norc', '-euc', SET_UP, 'bash', ...args],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { PATH },
      },
    );
    const host = new PlaygroundHost(dir, leader);
    try {
      const ready = once(leader.stdout, 'data');
      const ended = once(leader, 'exit').then(() =>
        Promise.reject(new Error('the namespaces cannot be made')),
      );
      await Promise.race([ready, ended]);
      const children = await readFile(`/proc/${leader.pid}/task/${leader.pid}/children`, 'utf8');
      host.#init = children.trim();
      return host;
    } catch (error) {
      await host.remove();
      throw error;
    }
  }

  /** The command line that runs a program in there; it stays one process. */
  inside(argv: readonly string[]): string[] {
    const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--root', '--wd=/'];
    return ['nsenter', `--target=${this.#init}`, ...namespaces, '--', ...argv];
  }

  /** Runs a program in there, as root, to its end, whatever that is. */
  runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
    return runCommand(this.inside(argv), options);
  }

  /** The same for one that has to succeed: resolves to its stdout. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return run(this.inside(argv), options);
  }

  /** Runs lines of bash that stop at the first failure; resolves to their stdout. */
  sh(lines: string): Promise<string> {
    return this.run(['bash', '-euo', 'pipefail', '-c', lines]);
  }

  /** Ends all processes in there, with which mounts and network go, and removes the files. */
  async remove(): Promise<void> {
    if (this.#leader.exitCode === null) {
      const ended = once(this.#leader, 'exit');
      this.#leader.stdin?.end();
      await ended;
    }
    const groups = ['memory', 'pids', ''].map((hierarchy) => join('/sys/fs/cgroup', hierarchy, SERVER_USER));
    await waitUntil('its control groups are gone', async () => {
      await runCommand(['find', ...groups, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
      const { stdout } = await runCommand(['find', ...groups, '-maxdepth', '0']);
      return stdout === '';
    });
    await rm(this.dir, { recursive: true, force: true });
  }
}
