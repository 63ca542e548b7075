import { asUser, type CommandOptions, type Outcome, run, runCommand } from './command.ts';
import { SERVER_USER } from './installation.ts';
import { listProcesses } from './processes.ts';

/** Names of this slot's namespaces begin so. */
const PREFIX = `${SERVER_USER}-`;

/** Makes iptables its older self, with the lock of its own: within the command's own mount namespace alone. */
const LEGACY = 'mount --bind /usr/sbin/xtables-legacy-multi /usr/sbin/xtables-nft-multi && exec "$@"';

/** A network of its own, with loopback: what happens to its rules happens to nobody else (ip-netns(8)). */
export class Namespace {
  readonly name: string;
  readonly #legacy: boolean;

  private constructor(name: string, legacy: boolean) {
    this.name = name;
    this.#legacy = legacy;
  }

  static async create(label: string, { legacy = false } = {}): Promise<Namespace> {
    const namespace = new Namespace(PREFIX + label, legacy);
    await run(['ip', 'netns', 'add', namespace.name]);
    await run(['ip', '-n', namespace.name, 'link', 'set', 'lo', 'up']);
    return namespace;
  }

  /** Joins two of them by a cable, the addresses with prefix at its ends; those of IPv6 can be used at once. */
  static async join(
    one: Namespace,
    other: Namespace,
    cable: string,
    addresses: [string, string][],
  ): Promise<void> {
    const ends = [`${cable}0`, `${cable}1`] as const;
    const peer = ['peer', 'name', ends[1], 'netns', other.name];
    await run(['ip', '-n', one.name, 'link', 'add', ends[0], 'type', 'veth', ...peer]);
    for (const [index, side] of [one, other].entries()) {
      const end = ends[index] ?? '';
      for (const pair of addresses) {
        const address = pair[index] ?? '';
        const flags = address.includes(':') ? ['nodad'] : [];
        await run(['ip', '-n', side.name, 'address', 'add', address, 'dev', end, ...flags]);
      }
      await run(['ip', '-n', side.name, 'link', 'set', end, 'up']);
    }
  }

  /**
   * The command line that runs a program within; it stays one process. By nsenter(1): ip-netns(8) would mount another /sys as
   * well, and the server needs the control groups below it.
   */
  inside(argv: readonly string[], user?: string): string[] {
    const inner = user === undefined ? argv : asUser(user, argv);
    const wrapped = this.#legacy ? ['unshare', '--mount', 'sh', '-c', LEGACY, 'sh', ...inner] : inner;
    return ['nsenter', `--net=/run/netns/${this.name}`, '--', ...wrapped];
  }

  /** As `runCommand`, within. */
  runCommand(argv: readonly string[], { user, ...options }: CommandOptions = {}): Promise<Outcome> {
    return runCommand(this.inside(argv, user), options);
  }

  /** As `run`, within. */
  run(argv: readonly string[], { user, ...options }: CommandOptions = {}): Promise<string> {
    return run(this.inside(argv, user), options);
  }

  /** Runs a program of Node within that prints one JSON value. The arguments are its `process.argv.slice(1)`. */
  async evaluate(program: string, ...args: string[]): Promise<unknown> {
    return JSON.parse(await this.run([process.execPath, '-e', program, '--', ...args]));
  }

  /** What comes of a TCP connection: `connected`, or the code of the error. */
  async connect(host: string, port: number): Promise<unknown> {
    return this.evaluate(CONNECT, host, String(port));
  }

  async remove(): Promise<void> {
    await run(['ip', 'netns', 'delete', this.name]);
  }
}

const CONNECT = `
  const [host, port] = process.argv.slice(1);
  const tell = (outcome) => { console.log(JSON.stringify(outcome)); process.exit(); };
  const socket = require('node:net').connect({ host, port: Number(port) }, () => tell('connected'));
  socket.setTimeout(5000, () => tell('timeout'));
  socket.on('error', (error) => tell(error.code));
`;

/** Removes what killed runs of this slot have left. Their processes have ended. */
export async function removeNamespaces(): Promise<void> {
  const { stdout } = await runCommand(['ip', 'netns', 'list']);
  const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  for (const name of names.filter((each) => each.startsWith(PREFIX))) {
    for (const pid of (await run(['ip', 'netns', 'pids', name])).trim().split(/\s+/).filter(Boolean)) {
      const known = (await listProcesses()).find((each) => each.pid === Number(pid));
      if (known) process.kill(known.pid, 'SIGKILL');
    }
    await run(['ip', 'netns', 'delete', name]);
  }
}
