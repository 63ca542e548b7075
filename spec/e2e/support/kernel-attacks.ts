import { BREACH } from './attacker.ts';

/** A system call with numeric arguments, and the errno that must refuse it. */
export interface KernelAttack {
  readonly name: string;
  /** Its number on x86-64 and on ARM64; undefined where there is none. */
  readonly number: number | undefined;
  readonly args: readonly number[];
  readonly errno: number;
}

// asm-generic/errno-base.h, asm-generic/errno.h
const EPERM = 1;
const ENOSYS = 38;

/** x86-64, ARM64; the latter is the same since Linux 5.1 and left out. */
type Numbers = readonly [number, number?];

const onX64 = process.arch === 'x64';

const attack = (
  name: string,
  [x64, arm64 = x64]: Numbers,
  args: readonly number[] = [],
  errno = EPERM,
): KernelAttack => ({ name, number: onX64 ? x64 : arm64, args, errno });

const ofX64 = (name: string, number: number, args: readonly number[] = []): KernelAttack => ({
  ...attack(name, [number], args),
  number: onX64 ? number : undefined,
});

const SOCKET: Numbers = [41, 198];
const SOCKETPAIR: Numbers = [53, 199];

/** Families that are not IP and pass every rule of the firewall, and protocols that no program needs. */
const SOCKETS: readonly KernelAttack[] = [
  attack('a socket to the hypervisor (AF_VSOCK)', SOCKET, [40, 1, 0]),
  attack('a socket for raw frames (AF_PACKET)', SOCKET, [17, 3, 0x300]),
  attack('a socket for ciphers (AF_ALG)', SOCKET, [38, 5, 0]),
  attack('a socket of the key management (AF_KEY)', SOCKET, [15, 3, 2]),
  attack('a socket for XDP (AF_XDP)', SOCKET, [44, 3, 0]),
  attack('a list of all sockets (NETLINK_SOCK_DIAG)', SOCKET, [16, 3, 4]),
  attack('events of the kernel (NETLINK_KOBJECT_UEVENT)', SOCKET, [16, 3, 15]),
  attack('the audit (NETLINK_AUDIT)', SOCKET, [16, 3, 9]),
  attack('raw IP', SOCKET, [2, 3, 1]),
  attack('raw IPv6', SOCKET, [10, 3, 58]),
  attack('a ping', SOCKET, [2, 2, 1]),
  attack('SCTP', SOCKET, [2, 1, 132]),
  attack('SCTP by its type', SOCKET, [2, 5, 0]),
  attack('MPTCP', SOCKET, [2, 1, 262]),
  attack('UDP-Lite', SOCKET, [10, 2, 136]),
  attack('a pair of sockets that are not local (AF_TIPC)', SOCKETPAIR, [30, 1, 0]),
];

const CLONE: Numbers = [56, 220];
const NAMESPACES = {
  user: 0x1000_0000,
  mount: 0x2_0000,
  network: 0x4000_0000,
  process: 0x2000_0000,
  ipc: 0x800_0000,
  uts: 0x400_0000,
  cgroup: 0x200_0000,
};
const SIGCHLD = 17;

const NEW_NAMESPACES: readonly KernelAttack[] = Object.entries(NAMESPACES).flatMap(([name, flag]) => [
  attack(`a new ${name} namespace`, [272, 97], [flag]),
  attack(`a child in a new ${name} namespace`, CLONE, [flag + SIGCHLD]),
]);

const CALLS: readonly KernelAttack[] = [
  // Keys outlive the process, and it possesses those of the session that started it.
  attack('add_key', [248, 217]),
  attack('request_key', [249, 218]),
  attack('keyctl: which session keyring', [250, 219], [0, -3, 0]),
  attack('keyctl: which keyring of its user', [250, 219], [0, -4, 1]),
  attack('keyctl: which persistent keyring', [250, 219], [22, -1, -4]),
  attack('mq_open', [240, 180]),
  attack('bpf', [321, 280], [5, 0, 0]),
  attack('perf_event_open', [298, 241]),
  attack('userfaultfd', [323, 282], [1]),
  attack('io_uring_setup', [425], [1, 0]),
  attack('io_uring_enter', [426], [-1]),
  attack('io_uring_register', [427], [-1]),
  attack('io_setup', [206, 0], [1, 0]),
  attack('setns', [308, 268], [-1, 0]),
  attack('mount', [165, 40]),
  attack('umount2', [166, 39]),
  attack('pivot_root', [155, 41]),
  attack('chroot', [161, 51]),
  attack('open_tree', [428], [-100, 0, 0]),
  attack('move_mount', [429], [-1, 0, -1, 0, 0]),
  attack('fsopen', [430]),
  attack('fsconfig', [431], [-1]),
  attack('fsmount', [432], [-1]),
  attack('fspick', [433], [-100]),
  attack('mount_setattr', [442], [-1]),
  attack('ptrace: to be traced', [101, 117], [0, 0, 0, 0]),
  attack('process_vm_readv', [310, 270], [1]),
  attack('process_vm_writev', [311, 271], [1]),
  attack('process_madvise', [440], [-1]),
  attack('pidfd_getfd', [438], [-1]),
  attack('kcmp', [312, 272], [1, 1, 0]),
  attack('name_to_handle_at', [303, 264], [-100]),
  attack('open_by_handle_at', [304, 265], [-100]),
  attack('kexec_load', [246, 104]),
  attack('kexec_file_load', [320, 294], [-1, -1]),
  attack('init_module', [175, 105]),
  attack('finit_module', [313, 273], [-1]),
  attack('delete_module', [176, 106]),
  attack('syslog: the messages of the kernel', [103, 116], [10]),
  attack('quotactl', [179, 60]),
  attack('acct', [163, 89]),
  attack('swapon', [167, 224]),
  attack('reboot', [169, 142]),
  attack('settimeofday', [164, 170]),
  attack('clock_settime', [227, 112]),
  attack('clock_adjtime', [305, 266]),
  attack('adjtimex', [159, 171]),
  attack('fanotify_init', [300, 262]),
  attack('get_mempolicy', [239, 236]),
  attack('mbind', [237, 235]),
  attack('set_mempolicy', [238, 237]),
  attack('move_pages', [279, 239]),
  attack('migrate_pages', [256, 238]),
  attack('memfd_secret', [447]),
  attack('vhangup', [153, 58]),
  attack('sethostname', [170, 161]),
  attack('personality: no random addresses', [135, 92], [0x4_0000]),
  attack('ioctl: to type into a terminal', [16, 29], [0, 0x5412, 0]),
  ofX64('modify_ldt', 154),
  ofX64('iopl', 172, [3]),
  ofX64('ioperm', 173, [0, 1, 1]),
  ofX64('lookup_dcookie', 212),
  ofX64('uselib', 134),
  ofX64('ustat', 136),
  attack('clone3', [435], [0, 0], ENOSYS),
  attack('a call that is not there yet', [999], [], ENOSYS),
  // arch/x86/include/uapi/asm/unistd.h: __X32_SYSCALL_BIT
  { ...ofX64('a call of x32 (getpid)', 0x4000_0027), errno: ENOSYS },
];

/** System calls that no process of an instance or an image may make. */
export const KERNEL_ATTACKS: readonly KernelAttack[] = [...SOCKETS, ...NEW_NAMESPACES, ...CALLS].filter(
  ({ number }) => number !== undefined,
);

/** A Perl program that makes the calls and prints for each its name, and errno or BREACH. */
export function formatKernelAttacks(attacks: readonly KernelAttack[] = KERNEL_ATTACKS): string {
  const tries = attacks.map(
    ({ name, number, args }) => `attempt('${name}', ${[number, ...args].join(', ')});`,
  );
  return `$| = 1;
sub attempt {
  my ($name, @call) = @_;
  my $parent = $$;
  my $result = syscall(shift @call, @call);
  my $errno = $! + 0;
  # A child that the call made.
  kill('KILL', syscall(${onX64 ? 39 : 172})) if syscall(${onX64 ? 39 : 172}) != $parent;
  print "$name: ", $result == -1 ? $errno : '${BREACH}', "\\n";
}
${tries.join('\n')}
`;
}

/** The output of that program when each call fails with the right errno. */
export function formatRefusals(attacks: readonly KernelAttack[] = KERNEL_ATTACKS): string {
  return attacks.map(({ name, errno }) => `${name}: ${errno}\n`).join('');
}
