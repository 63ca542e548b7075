import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from './support/command.ts';
import {
  CHAIN_PREFIX,
  getInstallation,
  IMAGE_UID_BASE,
  INSTANCE_PORTS,
  INSTANCE_UID_BASE,
  SERVER_USER,
  UID_COUNT,
} from './support/installation.ts';
import { Namespace } from './support/namespace.ts';

const FAMILIES = ['iptables', 'ip6tables'] as const;
const WHITELIST = `${CHAIN_PREFIX}-WHITELIST`;
const EGRESS = `${CHAIN_PREFIX}-EGRESS`;
const PORT = INSTANCE_PORTS.min;
const RULES = [`192.0.2.7 ${PORT} ada@example.com`, `2001:db8::7 ${PORT} ada@example.com`];
const SAME = 'iptables unchanged\nip6tables unchanged\n';

const children: ChildProcess[] = [];
let namespace: Namespace;

/** As the server does: by sudo, as its user. */
function runScript(name: string, input = '', args: string[] = []): Promise<Outcome> {
  const script = join(getInstallation().scripts, name);
  return namespace.runCommand(['sudo', '-n', '--', script, ...args], { user: SERVER_USER, input });
}

const format = (rules: readonly string[]): string =>
  `rules ${rules.length}\n${rules.map((rule) => `${rule}\n`).join('')}end\n`;

async function apply(rules: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runScript('draupnir-apply-firewall', format(rules));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

async function block(): Promise<string> {
  const { exitCode, stdout, stderr } = await runScript('draupnir-block-egress');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

const listRules = async (): Promise<string[]> =>
  Promise.all(FAMILIES.map((family) => namespace.run([family, '-S'])));

/** Starts a process within that prints a line once it is ready. */
async function startReady(argv: readonly string[]): Promise<void> {
  const [file = '', ...args] = namespace.inside(argv);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(createInterface({ input: child.stdout }), 'line');
}

async function endChildren(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

afterEach(endChildren);

describe.each([
  ['nftables', false],
  ['the legacy tables', true],
])('the firewall scripts on %s', (_, legacy) => {
  beforeAll(async () => {
    namespace = await Namespace.create(legacy ? 'legacy' : 'nft', { legacy });
  });
  afterAll(() => namespace.remove());

  it('write the chain in the form of 5.3, close the other ports, and then leave it alone', async () => {
    await apply([]);
    expect(await apply(RULES)).toBe('iptables changed\nip6tables changed\n');
    const [ipv4 = '', ipv6 = ''] = await listRules();
    const range = `-p tcp -m tcp --dport ${PORT}:${INSTANCE_PORTS.max - 1}`;
    const expected = (address: string): string[] => [
      `-A INPUT ${range} -j ${WHITELIST}`,
      `-A ${WHITELIST} -i lo ${range} -j ACCEPT`,
      `-A ${WHITELIST} ${range} -m state --state RELATED,ESTABLISHED -j RETURN`,
      `-A ${WHITELIST} -s ${address} -p tcp -m state --state NEW -m tcp --dport ${PORT} -m comment --comment "user: ada@example.com" -j ACCEPT`,
      `-A ${WHITELIST} ${range} -m state --state NEW -j REJECT --reject-with tcp-reset`,
      `-A ${WHITELIST} ${range} -j DROP`,
    ];
    const rules = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('-A'));
    expect(rules(ipv4)).toEqual(expected('192.0.2.7/32'));
    expect(rules(ipv6)).toEqual(expected('2001:db8::7/128'));
    expect(await apply(RULES)).toBe(SAME);
  });

  it.each(FAMILIES)('heal what was done to the chain and its hook: %s', async (family) => {
    await apply(RULES);
    const before = await listRules();
    const hook =
      before[0]
        ?.split('\n')
        .find((line) => line.startsWith('-A INPUT'))
        ?.split(' ') ?? [];
    const deeds: string[][][] = [
      [['-F', WHITELIST]],
      [
        ['-D', ...hook.slice(1)],
        ['-F', WHITELIST],
        ['-X', WHITELIST],
      ],
      [['-D', ...hook.slice(1)]],
      [['-D', WHITELIST, '3']],
      [['-I', WHITELIST, '1', '-j', 'ACCEPT']],
      [['-A', WHITELIST, '-p', 'udp', '-j', 'ACCEPT']],
      [hook, hook],
    ];
    for (const deed of deeds) {
      for (const args of deed) await namespace.run([family, ...args]);
      expect(await apply(RULES)).toContain(`${family} changed`);
      expect(await listRules()).toEqual(before);
    }
  });

  it('go back to the top of INPUT, and leave the rules of others as they are', async () => {
    await apply(RULES);
    const before = await listRules();
    const others = [
      [
        '-I',
        'INPUT',
        '1',
        '-p',
        'tcp',
        '--dport',
        '22',
        '-m',
        'comment',
        '--comment',
        'ours "quoted"',
        '-j',
        'ACCEPT',
      ],
      ['-A', 'INPUT', '-s', '198.51.100.1', '-p', 'tcp', '-j', WHITELIST],
    ];
    for (const rule of others) await namespace.run(['iptables', ...rule]);
    expect(await apply(RULES)).toBe('iptables changed\nip6tables unchanged\n');
    const inputs = (text = ''): string[] => text.split('\n').filter((line) => line.startsWith('-A INPUT'));
    const now = inputs((await listRules())[0]);
    expect(now[0]).toBe(inputs(before[0])[0]);
    expect(now).toHaveLength(3);
    expect(await apply(RULES)).toBe(SAME);
    for (const [, , ...rule] of others.map((each) => (each[0] === '-I' ? each.slice(1) : each))) {
      await namespace.run(['iptables', '-D', 'INPUT', ...rule]);
    }
    expect(await listRules()).toEqual(before);
  });

  it('write five thousand rules at once', async () => {
    const rules = Array.from(
      { length: 5000 },
      (_each, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255} ${PORT + (i % 100)} u${i}@example.com`,
    );
    expect(await apply(rules)).toContain('iptables changed');
    expect((await namespace.run(['iptables', '-S', WHITELIST])).split('\n').length).toBe(5000 + 6);
    expect(await apply(rules)).toBe(SAME);
    await apply(RULES);
  });

  it.each([
    ['nothing', ''],
    ['no end, as from a server that was killed', `rules 2\n${RULES.join('\n')}\n`],
    ['fewer rules than it says', `rules 3\n${RULES.join('\n')}\nend\n`],
    ['more rules than it says', `rules 1\n${RULES.join('\n')}\nend\n`],
    ['an end in the middle', `rules 2\n${RULES[0] ?? ''}\nend\n${RULES[1] ?? ''}\n`],
    ['too many rules', format(Array<string>(20_001).fill(`192.0.2.7 ${PORT} ada`))],
    ['a number that is none', 'rules 01\nend\n'],
    ['an empty line', format([''])],
    ['a host name', format([`localhost ${PORT} ada`])],
    ['a network', format([`192.0.2.0/24 ${PORT} ada`])],
    ['an address out of range', format([`192.0.2.256 ${PORT} ada`])],
    ['an address that is an option', format([`-j ${PORT} ada`])],
    ['a short IPv6 address', format([`1:2:3 ${PORT} ada`])],
    ['a long IPv6 address', format([`1:2:3:4:5:6:7:8:9 ${PORT} ada`])],
    ['an IPv6 address with two gaps', format([`1::2::3 ${PORT} ada`])],
    ['a port of somebody else', format([`192.0.2.7 5432 ada`])],
    ['the port behind the range', format([`192.0.2.7 ${INSTANCE_PORTS.max} ada`])],
    ['ssh', format(['192.0.2.7 22 ada'])],
    ['a port that is none', format([`192.0.2.7 0x1F90 ada`])],
    ['no user', format([`192.0.2.7 ${PORT} `])],
    ['a quote', format([`192.0.2.7 ${PORT} a"-jACCEPT`])],
    ['a further option', format([`192.0.2.7 ${PORT} ada -j ACCEPT`])],
    ['a slash', format([`192.0.2.7 ${PORT} a/b`])],
    ['a backslash', format([`192.0.2.7 ${PORT} a\\`])],
    ['a long user', format([`192.0.2.7 ${PORT} ${'a'.repeat(201)}`])],
    ['a byte 0', format([`192.0.2.7 ${PORT} a\0b`])],
    ['a carriage return', format([`192.0.2.7 ${PORT} ada\r`])],
    ['another table', format([`192.0.2.7 ${PORT} ada`, 'COMMIT', '*nat'])],
  ])('refuse %s, and change nothing', async (_case, input) => {
    await apply(RULES);
    const before = await listRules();
    const { exitCode, stdout, stderr } = await runScript('draupnir-apply-firewall', input);
    expect({ exitCode, stdout }).toEqual({ exitCode: 65, stdout: '' });
    expect(stderr).toMatch(/^draupnir-apply-firewall: /);
    expect(await listRules()).toEqual(before);
  });

  it.each([['draupnir-apply-firewall'], ['draupnir-block-egress']])(
    'let sudo run %s without arguments alone',
    async (name) => {
      const before = await listRules();
      for (const args of [['1'], [''], ['-h'], [`${PORT}`, '65535']]) {
        expect(await runScript(name, format([]), args)).toMatchObject({ exitCode: 1 });
      }
      expect(await listRules()).toEqual(before);
    },
  );

  it('block what instances and images begin, by both hooks, and then leave it alone', async () => {
    expect(await block()).toBe('iptables changed\nip6tables changed\n');
    expect(await block()).toBe(SAME);
    for (const family of FAMILIES) {
      const before = await listRules();
      for (const args of [
        ['-F', EGRESS],
        ['-F', 'OUTPUT'],
        ['-I', EGRESS, '1', '-j', 'RETURN'],
        ['-I', 'OUTPUT', '1', '-j', 'ACCEPT'],
      ]) {
        await namespace.run([family, ...args]);
        expect(await block()).toContain(`${family} changed`);
        if (args[3] === '-j' && args[1] === 'OUTPUT')
          await namespace.run([family, '-D', 'OUTPUT', '-j', 'ACCEPT']);
        expect(await listRules()).toEqual(before);
      }
    }
  });

  it('let no instance and no image reach anybody, by either protocol and family', async () => {
    await block();
    const program = `
      const [port] = process.argv.slice(1);
      for (const host of ['127.0.0.1', '::1']) {
        require('node:net').createServer((socket) => socket.end()).listen({ host, port: Number(port), ipv6Only: true });
        require('node:dgram').createSocket(host === '::1' ? 'udp6' : 'udp4').bind(Number(port), host);
        require('node:dgram').createSocket(host === '::1' ? 'udp6' : 'udp4').bind(53, host);
      }
      setImmediate(() => console.log('ready'));
    `;
    const port = INSTANCE_PORTS.max + 10;
    await startReady([process.execPath, '-e', program, '--', String(port)]);
    const attempts = ['127.0.0.1', '::1'].flatMap((host) =>
      [`tcp/${host}/${port}`, `udp/${host}/${port}`, `udp/${host}/53`].map((path) => `/dev/${path}`),
    );
    const attempt = (uid: number, path: string): Promise<Outcome> => {
      const drop = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
      return namespace.runCommand([...drop, 'bash', '-c', `exec 3<>${path} && echo question >&3`]);
    };
    for (const path of attempts) {
      expect({ path, ...(await attempt(65_000, path)) }).toMatchObject({ path, exitCode: 0 });
      for (const uid of [INSTANCE_UID_BASE + 7, IMAGE_UID_BASE + UID_COUNT - 1]) {
        const outcome = await attempt(uid, path);
        expect({ path, uid, exitCode: outcome.exitCode }).toEqual({ path, uid, exitCode: 1 });
        expect(outcome.stderr).toMatch(/Connection refused|Operation not permitted/);
      }
    }
  });

  it('stand behind hooks of another installation, but not behind rules for their own range', async () => {
    await apply(RULES);
    await block();
    const before = await listRules();
    const owner = ['-m', 'owner', '--uid-owner'];
    const firstPort = ['-p', 'tcp', '--dport', `${PORT}:${PORT + 1}`];
    const lastUid = [...owner, `${IMAGE_UID_BASE + UID_COUNT - 1}-${IMAGE_UID_BASE + UID_COUNT}`];
    for (const family of FAMILIES) {
      await namespace.run([family, '-N', 'OTHER']);
      await namespace.run([family, '-I', 'INPUT', '-p', 'tcp', '--dport', '16432:16631', '-j', 'OTHER']);
      await namespace.run([family, '-I', 'OUTPUT', ...owner, '900000000-909999999', '-j', 'OTHER']);
    }
    expect(await apply(RULES)).toBe(SAME);
    expect(await block()).toBe(SAME);
    for (const family of FAMILIES) {
      await namespace.run([family, '-I', 'INPUT', ...firstPort, '-j', 'OTHER']);
      await namespace.run([family, '-I', 'OUTPUT', ...lastUid, '-j', 'OTHER']);
    }
    expect(await apply(RULES)).toBe('iptables changed\nip6tables changed\n');
    expect(await block()).toBe('iptables changed\nip6tables changed\n');
    for (const family of FAMILIES) {
      const hooks = (await namespace.run([family, '-S']))
        .split('\n')
        .filter((line) => line.endsWith('-j OTHER'));
      for (const hook of hooks) await namespace.run([family, ...hook.replace('-A', '-D').split(' ')]);
      await namespace.run([family, '-X', 'OTHER']);
    }
    expect(await listRules()).toEqual(before);
  });

  it('take away what called the chain for more users than are ours', async () => {
    await block();
    const before = await listRules();
    const earlier = `${INSTANCE_UID_BASE}-${INSTANCE_UID_BASE + 999_999_999}`;
    for (const family of [...FAMILIES, ...FAMILIES]) {
      await namespace.run([family, '-A', 'OUTPUT', '-m', 'owner', '--uid-owner', earlier, '-j', EGRESS]);
    }
    expect(await block()).toBe('iptables changed\nip6tables changed\n');
    expect(await listRules()).toEqual(before);
  });

  it('heal after the whole ruleset is gone', async () => {
    if (legacy) for (const family of FAMILIES) await namespace.run([family, '-F']);
    else await namespace.run(['nft', 'flush', 'ruleset']);
    expect(await apply(RULES)).toContain('iptables changed');
    expect(await block()).toContain('iptables changed');
    expect(await apply(RULES)).toBe(SAME);
    expect(await block()).toBe(SAME);
  });
});

describe('the firewall scripts beside native rules of nft', () => {
  it('fail with a reason, put no second hook there, and work again afterwards', async () => {
    namespace = await Namespace.create('native');
    try {
      await apply(RULES);
      await block();
      const hooks = async (): Promise<number> =>
        (await namespace.run(['nft', 'list', 'table', 'ip', 'filter'])).split('jump DRAUPNIR').length - 1;
      expect(await hooks()).toBe(3);
      for (const chain of ['INPUT', 'OUTPUT']) {
        await namespace.run([
          'nft',
          'add',
          'rule',
          'ip',
          'filter',
          chain,
          'ct',
          'state',
          'established',
          'accept',
        ]);
      }
      for (const [name, chain] of [
        ['draupnir-apply-firewall', 'INPUT'],
        ['draupnir-block-egress', 'OUTPUT'],
      ] as const) {
        const { exitCode, stderr } = await runScript(name, format(RULES));
        expect({ name, exitCode }).toEqual({ name, exitCode: 69 });
        const reason = `iptables cannot read chain ${chain}, which holds native nft rules`;
        const hint = `move these to a table of their own (nft list chain ip filter ${chain})`;
        expect(stderr).toBe(`${name}: ${reason}: ${hint}\n`);
      }
      expect(await hooks()).toBe(3);
      await namespace.run(['nft', 'flush', 'table', 'ip', 'filter']);
      expect(await apply(RULES)).toContain('iptables changed');
      expect(await block()).toContain('iptables changed');
    } finally {
      await namespace.remove();
    }
  });
});

describe('the firewall scripts on the legacy tables', () => {
  it('fail with a reason while somebody holds the lock, and work again afterwards', async () => {
    namespace = await Namespace.create('locked', { legacy: true });
    try {
      await apply([]);
      await startReady([
        'flock',
        '--no-fork',
        '/run/xtables.lock',
        'sh',
        '-c',
        'echo locked; exec sleep 600',
      ]);
      const { exitCode, stderr } = await runScript('draupnir-apply-firewall', format(RULES));
      expect(exitCode).toBe(69);
      expect(stderr).toBe('draupnir-apply-firewall: iptables is locked by another program\n');
      await endChildren();
      expect(await apply(RULES)).toContain('iptables changed');
    } finally {
      await endChildren();
      await namespace.remove();
    }
  });
});
