import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeOutput, formatProgram } from './support/attacker.ts';
import { Cluster } from './support/cluster.ts';
import { run } from './support/command.ts';
import {
  CHAIN_PREFIX,
  getInstallation,
  INSTANCE_UID_BASE,
  SERVER_USER,
  UPLOAD_USER,
} from './support/installation.ts';
import { Namespace } from './support/namespace.ts';
import { waitUntil } from './support/wait.ts';

/** Of multicast DNS. Services such as avahi-daemon share it with every program that wants it. */
const PORT = 5353;
const STRANGER = 65_534;
/** Larger than ids that the server assigns. */
const ID = 500_000;

/** Receives on the shared port, over IPv4 and IPv6, and prints what it hears. */
const SERVICE = `
  const dgram = require('node:dgram');
  let left = 2;
  for (const [type, address] of [['udp4', '0.0.0.0'], ['udp6', '::']]) {
    const socket = dgram.createSocket({ type, reuseAddr: true, ipv6Only: type === 'udp6' });
    socket.on('message', (text) => console.log(String(text)));
    socket.bind(${PORT}, address, () => --left || console.log('ready'));
  }
`;

/** Sends to the service from the service's own port, by a socket connected elsewhere; prints the result. */
const ATTACK = `use Socket qw(:all);
  my ($localhost4, $localhost6) = (INADDR_LOOPBACK, IN6ADDR_LOOPBACK);
  my $address4 = sub { pack_sockaddr_in($_[0], $_[1] || $localhost4) };
  my $address6 = sub { pack_sockaddr_in6($_[0], $_[1] || $localhost6) };
  for ([AF_INET, $address4, INADDR_ANY], [AF_INET6, $address6, IN6ADDR_ANY]) {
    my ($family, $address, $any) = @$_;
    socket(my $socket, $family, SOCK_DGRAM, 0) or die $!;
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) or die $!;
    setsockopt($socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) if $family == AF_INET6;
    bind($socket, $address->(${PORT}, $any)) or die $!;
    connect($socket, $address->(9)) or die $!;
    print send($socket, "stolen rows", 0, $address->(${PORT})) ? "sent" : "$!", "\\n";
  }`;
const REFUSED = 'Operation not permitted\n'.repeat(2);

const children: ChildProcess[] = [];
let namespace: Namespace;
let heard: string[] = [];

const asUid = (uid: number): string[] => [
  'setpriv',
  `--reuid=${uid}`,
  `--regid=${uid}`,
  '--clear-groups',
  '--no-new-privs',
  '--',
];

const block = (): Promise<string> =>
  namespace.run(['sudo', '-n', '--', join(getInstallation().scripts, 'draupnir-block-egress')], {
    user: SERVER_USER,
  });

/** Starts the service; what it hears is in `heard`. */
async function startService(): Promise<void> {
  const [file = '', ...args] = namespace.inside([...asUid(STRANGER), process.execPath, '-e', SERVICE]);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  heard = [];
  createInterface({ input: child.stdout }).on('line', (line) => heard.push(line));
  await waitUntil('the service listens', () => Promise.resolve(heard.includes('ready')));
}

/** What the service has heard since the last call. Loopback keeps the order: "over" arrives last. */
async function listHeard(): Promise<string[]> {
  await namespace.run([...asUid(STRANGER), 'bash', '-c', `echo -n over >/dev/udp/127.0.0.1/${PORT}`]);
  await waitUntil('the service hears a stranger', () => Promise.resolve(heard.includes('over')));
  const lines = heard.filter((line) => line !== 'ready' && line !== 'over');
  heard = [];
  return lines;
}

/** A Postgres that runs as an instance does on the network of `namespace`. */
class Running {
  readonly uid: number;
  readonly cluster: Cluster;
  readonly log: string;
  readonly #id: number;
  readonly #major: number;
  #child: ChildProcess | undefined;

  constructor(major: number) {
    const { postgres, sources } = getInstallation();
    this.#major = major;
    this.#id = ID + major;
    this.uid = INSTANCE_UID_BASE + this.#id;
    this.cluster = new Cluster({ postgres, major, dir: join(sources, `udp-${major}`), user: UPLOAD_USER });
    this.log = join(this.cluster.dir, 'log');
  }

  async create(): Promise<void> {
    await run(['mkdir', '-p', getInstallation().sources]);
    await this.cluster.create();
    await run(['chmod', '0755', this.cluster.dir]);
    await run(['chown', '-R', `${this.uid}:${this.uid}`, this.cluster.data, this.cluster.dir]);
  }

  /** Starts it with the command `limit` in front; without, as an older version does. */
  async start(...limit: string[]): Promise<void> {
    const { dir, data } = this.cluster;
    const argv = [join(getInstallation().postgres, String(this.#major), 'bin/postgres'), '-D', data];
    const options = ['-k', dir, '-c', 'listen_addresses=', '-c', 'logging_collector=on'];
    options.push('-c', `log_directory=${dir}`, '-c', 'log_filename=log', '-c', 'log_file_mode=0644');
    const inside = namespace.inside([...limit, ...asUid(this.uid), ...argv, ...options]);
    this.#child = spawn(inside[0] ?? '', inside.slice(1), { cwd: '/', stdio: 'ignore' });
    await waitUntil('it answers', () => this.cluster.query('postgres', 'SELECT 1').catch(() => undefined));
  }

  startLimited(): Promise<void> {
    return this.start('perl', join(getInstallation().scripts, 'lib/exec-filtered'), '--private-udp', '--');
  }

  /** Records it where the scripts look for an instance. */
  async record(): Promise<() => Promise<void>> {
    const { data, run: runPath } = getInstallation();
    const [pid, conf] = [
      join(runPath, `instances/${this.#id}.pid`),
      join(data, `instance_config/${this.#id}`),
    ];
    await mkdir(conf);
    await writeFile(join(conf, 'major'), `${this.#major}\n`);
    await writeFile(pid, `${this.#child?.pid ?? 0}\n`);
    return () => Promise.all([pid, conf].map((path) => rm(path, { recursive: true }))).then(() => undefined);
  }

  /** Returns when its statistics have counted rows that are written now. */
  async expectStatistics(): Promise<void> {
    await this.cluster.query(
      'postgres',
      'DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT generate_series(1, 100)',
    );
    await waitUntil('the statistics show the rows', async () => {
      const rows = await this.cluster.query('postgres', `SELECT n_tup_ins FROM pg_stat_user_tables`);
      return rows === '100';
    });
  }

  /** Runs a bash script as a program of Postgres; its descriptor 7 is what Postgres has for stdin. */
  async shell(script: string): Promise<string> {
    const sql = `CREATE TEMP TABLE printed (line text);
      COPY printed FROM PROGRAM 'exec 7<&0; ${formatProgram(script)}';
      SELECT line FROM printed`;
    return decodeOutput(await this.cluster.query('postgres', sql));
  }

  async stop(): Promise<void> {
    if (this.#child) await end(this.#child, 'SIGINT');
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

beforeAll(async () => {
  namespace = await Namespace.create('udp');
  await block();
});
afterEach(async () => {
  for (const child of children.splice(0)) await end(child, 'SIGKILL');
});
afterAll(() => namespace.remove());

describe('a service of the host that shares its UDP port', () => {
  it('hears nothing of an instance that binds the same port', async () => {
    await startService();
    const attack = ['perl', '-e', ATTACK];
    expect(await namespace.run([...asUid(INSTANCE_UID_BASE + ID), ...attack])).toBe(REFUSED);
    expect(await listHeard()).toEqual([]);
    expect(await namespace.run([...asUid(STRANGER - 1), ...attack])).toBe('sent\n'.repeat(2));
    expect(await listHeard()).toEqual(['stolen rows', 'stolen rows']);
    // The kernel counts packets from there as replies to the stranger's.
    expect(await namespace.run([...asUid(INSTANCE_UID_BASE + ID), ...attack])).toBe(REFUSED);
    expect(await listHeard()).toEqual([]);
  });
});

describe.each([13, 14])('the statistics collector of Postgres %i, which sends UDP to itself', (major) => {
  let postgres: Running;
  beforeAll(async () => {
    postgres = new Running(major);
    await postgres.create();
  });
  afterEach(() => postgres.stop());

  it('counts on a network of its own, from which no service of the host is reached', async () => {
    await postgres.startLimited();
    await postgres.expectStatistics();
    expect(await readFile(postgres.log, 'utf8')).not.toMatch(/disabling statistics|using stale statistics/);
    await startService();
    expect(await postgres.shell(`LC_ALL=C perl -e '${ATTACK}'`)).toBe(REFUSED);
    const socket = process.arch === 'x64' ? 41 : 198;
    // Its stdin is the socket of the collector, and stands for every UDP socket that Postgres asks for.
    const byItsOwn = `LC_ALL=C perl -e 'use Socket qw(:all); open(my $own, "+<&=", 7) or die;
      print syscall(${socket}, 2, 2, 0), "\\n";
      print getsockname($own) eq getpeername($own) ? "" : "of another\\n";
      send($own, "stolen rows", 0, pack_sockaddr_in(${PORT}, INADDR_LOOPBACK)); print "tried\\n"'`;
    expect(await postgres.shell(byItsOwn)).toBe('0\ntried\n');
    expect(await listHeard()).toEqual([]);
    await postgres.expectStatistics();
  });

  it('continues where an older version has started it, and no other instance can use that', async () => {
    await namespace.run(['iptables', '-F']);
    await namespace.run(['ip6tables', '-F']);
    await postgres.start();
    const forget = await postgres.record();
    try {
      expect(await block()).toBe('iptables changed\nip6tables changed\n');
      await postgres.expectStatistics();
      const rules = async (): Promise<number> =>
        (await namespace.run(['iptables', '-S', `${CHAIN_PREFIX}-EGRESS`])).split('-m bpf').length - 1;
      expect(await rules()).toBe(1);
      await startService();
      const neighbour = asUid(postgres.uid + 10);
      expect(await namespace.run([...neighbour, 'perl', '-e', ATTACK])).toBe(REFUSED);
      expect(await listHeard()).toEqual([]);
      await postgres.stop();
      expect(await block()).toContain('iptables changed');
      expect(await rules()).toBe(0);
    } finally {
      await forget();
    }
  });
});
