import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AUDIT_ARCH, type Machine, SeccompProgram } from './seccomp-program.ts';

const LIST = join(import.meta.dirname, '../../../scripts/lib/system-calls.txt');

// asm-generic/errno-base.h, asm-generic/errno.h
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** Of linux-libc-dev. That of x86-64 is there on x86-64 alone. */
const HEADERS: Record<Machine, string> = {
  x86_64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
  aarch64: '/usr/include/asm-generic/unistd.h',
};
const machines = (['x86_64', 'aarch64'] as const).filter((machine) => existsSync(HEADERS[machine]));

interface Entry {
  readonly mark: string;
  readonly number: number;
}

/** The calls of a machine by name. */
function readList(machine: Machine): Map<string, Entry> {
  const lines = readFileSync(LIST, 'utf8').split('\n');
  const entries = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    entries.flatMap((line): [string, Entry][] => {
      const [, name = '', mark = '', x64 = '', arm64 = ''] =
        /^([a-z0-9_]+)([?!]?) (\d+|-) (\d+|-)$/.exec(line) ?? [];
      expect(name, line).not.toBe('');
      const number = machine === 'x86_64' ? x64 : arm64;
      return number === '-' ? [] : [[name, { mark, number: Number(number) }]];
    }),
  );
}

/** The same from the kernel's headers. Those of ARM64 define some numbers by way of other names. */
function readHeaders(machine: Machine): Map<string, number> {
  const text = readFileSync(HEADERS[machine], 'utf8');
  const numbers = new Map<string, number>();
  // Not calls: their count, and the first number of single architectures.
  const others = ['syscalls', 'arch_specific_syscall'];
  for (const [, name = '', number] of text.matchAll(/^#define __NR_(\w+)\s+(\d+)/gm)) {
    if (!others.includes(name)) numbers.set(name, Number(number));
  }
  const shared = new Map(
    [...text.matchAll(/^#define __NR3264_(\w+)\s+(\d+)/gm)].map(([, name = '', number]) => [
      name,
      Number(number),
    ]),
  );
  // The first definitions are those of 64 bits.
  for (const [, name = '', of = ''] of text.matchAll(/^#define __NR_(\w+) __NR3264_(\w+)/gm)) {
    const number = shared.get(of);
    if (number !== undefined && !numbers.has(name)) numbers.set(name, number);
  }
  return numbers;
}

/** Refused without capabilities by Docker's default profile (Docker manual, "Seccomp security profiles"). */
const REFUSED_BY_ENGINES = `
  acct add_key bpf chroot clock_settime create_module delete_module fanotify_init finit_module
  fsconfig fsmount fsopen fspick get_kernel_syms get_mempolicy init_module io_uring_enter
  io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie
  lsm_get_self_attr lsm_list_modules lsm_set_self_attr mbind migrate_pages mount mount_setattr
  move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open
  pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace query_module
  quotactl quotactl_fd reboot request_key set_mempolicy set_mempolicy_home_node setdomainname
  sethostname setns settimeofday stime swapoff swapon sysfs _sysctl syslog umount umount2 unshare
  uselib userfaultfd ustat vhangup vm86 vm86old vmsplice
`
  .trim()
  .split(/\s+/);

describe.each(machines)('the list of system calls for %s', (machine) => {
  const list = readList(machine);
  const headers = readHeaders(machine);

  it('has the numbers of the kernel', () => {
    const newest = Math.max(...headers.values());
    expect(headers.size).toBeGreaterThan(300);
    for (const [name, { number }] of list) {
      // The headers may be older than the list. uretprobe (Linux 6.11) fills a gap of x86-64.
      const expected = headers.get(name) ?? (number > newest || name === 'uretprobe' ? number : undefined);
      expect({ name, number }).toEqual({ name, number: expected });
    }
  });

  it('allows nothing that container engines refuse', () => {
    expect(REFUSED_BY_ENGINES.filter((name) => list.has(name) && list.get(name)?.mark !== '!')).toEqual([]);
  });
});

describe.each(['x86_64', 'aarch64'] as const)('the filter of system calls for %s', (machine) => {
  const list = readList(machine);
  const filter = SeccompProgram.build(machine);
  const judge = (name: string, ...args: number[]) =>
    filter.judge(AUDIT_ARCH[machine], list.get(name)?.number ?? NaN, args);

  it('allows what is listed, and refuses every other call', () => {
    const allowed = new Set([...list.values()].filter(({ mark }) => mark === '').map(({ number }) => number));
    const checked = new Set(
      [...list.values()].filter(({ mark }) => mark === '?').map(({ number }) => number),
    );
    const clone3 = list.get('clone3')?.number;
    const newest = Math.max(...[...list.values()].map(({ number }) => number));
    for (let number = 0; number <= newest; number++) {
      if (checked.has(number) || number === clone3) continue;
      const expected = allowed.has(number) ? 'allowed' : EPERM;
      expect([number, filter.judge(AUDIT_ARCH[machine], number)]).toEqual([number, expected]);
    }
    expect(allowed.size).toBeGreaterThan(200);
  });

  it('answers ENOSYS to newer calls and to clone3, so that programs fall back to an older call', () => {
    const newest = Math.max(...[...list.values()].map(({ number }) => number));
    for (const number of [newest + 1, 1000, 0x7fffffff, 0xffffffff]) {
      expect(filter.judge(AUDIT_ARCH[machine], number)).toBe(ENOSYS);
    }
    expect(judge('clone3')).toBe(ENOSYS);
  });

  it('kills what calls as another architecture, and knows no x32', () => {
    for (const arch of Object.values(AUDIT_ARCH).filter((each) => each !== AUDIT_ARCH[machine])) {
      for (let number = 0; number < 500; number++) expect(filter.judge(arch, number)).toBe('killed');
    }
    for (let number = 0; number < 600; number++) {
      expect(filter.judge(AUDIT_ARCH[machine], 0x4000_0000 + number)).toBe(ENOSYS);
    }
  });

  // Domain, type with flags (SOCK_NONBLOCK, SOCK_CLOEXEC), protocol.
  const FLAGS = 0o2004000;
  it.each([
    ['a local one', 1, 1, 0],
    ['a local one for datagrams', 1, 2 | FLAGS, 0],
    ['TCP', 2, 1, 0],
    ['TCP by its number', 10, 1 | FLAGS, 6],
    ['UDP', 2, 2, 0],
    ['UDP by its number', 10, 2 | FLAGS, 17],
    ['what getaddrinfo asks for addresses', 16, 3 | FLAGS, 0],
  ])('allows a socket: %s', (_what, ...args) => {
    expect(judge('socket', ...args)).toBe('allowed');
  });

  it('refuses sockets of every other family, type and protocol', () => {
    for (let domain = 0; domain < 64; domain++) {
      if (![1, 2, 10, 16].includes(domain))
        expect([domain, judge('socket', domain, 1, 0)]).toEqual([domain, EPERM]);
    }
    for (const domain of [2, 10]) {
      for (const type of [0, 3, 4, 5, 6, 10, 3 | FLAGS]) expect(judge('socket', domain, type, 0)).toBe(EPERM);
      for (let protocol = 1; protocol < 300; protocol++) {
        if (protocol === 6 || protocol === 17) continue;
        expect([protocol, judge('socket', domain, 1, protocol)]).toEqual([protocol, EPERM]);
      }
    }
    for (let protocol = 1; protocol < 40; protocol++) expect(judge('socket', 16, 3, protocol)).toBe(EPERM);
    expect(judge('socketpair', 1, 1, 0)).toBe('allowed');
    for (const domain of [0, 2, 10, 16, 30, 40]) expect(judge('socketpair', domain, 1, 0)).toBe(EPERM);
  });

  it('allows a child, and none in a namespace of its own', () => {
    // SIGCHLD; a thread of the C library (CLONE_VM, CLONE_FS and so on).
    for (const flags of [17, 0x1200011, 0x3d0f00]) expect(judge('clone', flags)).toBe('allowed');
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect([flag, judge('clone', flag | 17)]).toEqual([flag, EPERM]);
    }
  });

  it('allows the usual personality, and to type into no terminal', () => {
    for (const persona of [0, 0xffffffff]) expect(judge('personality', persona)).toBe('allowed');
    for (const persona of [8, 0x20000, 0x40000, 0x400000]) expect(judge('personality', persona)).toBe(EPERM);
    for (const request of [0x5401, 0x5413, 0x541b]) expect(judge('ioctl', 0, request)).toBe('allowed');
    for (const request of [0x5412, 0x541c]) expect(judge('ioctl', 0, request)).toBe(EPERM);
  });

  it('answers 0 to UDP over IPv4 where UDP is private, except for getaddrinfo', () => {
    const own = SeccompProgram.build(machine, { privateUdp: true });
    const judgeOwn = (...args: number[]) =>
      own.judge(AUDIT_ARCH[machine], list.get('socket')?.number ?? NaN, args);
    expect(judgeOwn(2, 2, 0)).toBe(0);
    expect(judgeOwn(10, 2, 0)).toBe(EAFNOSUPPORT);
    for (const domain of [2, 10]) {
      expect(judgeOwn(domain, 2 | FLAGS, 0)).toBe('allowed');
      expect(judgeOwn(domain, 1, 0)).toBe('allowed');
      expect(judgeOwn(domain, 3, 0)).toBe(EPERM);
    }
    expect(judgeOwn(1, 2, 0)).toBe('allowed');
    expect(judgeOwn(40, 2, 0)).toBe(EPERM);
  });
});
