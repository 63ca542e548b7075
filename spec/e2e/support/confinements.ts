import { connect } from 'node:net';
import { asUser } from './command.ts';
import type { Namespace } from './namespace.ts';
import type { Confinement } from './server.ts';

/** A host whose /proc shows a user its own processes alone (proc(5), `hidepid`): a mount of its own, seen by what runs within. */
export const HIDDEN_PROCESSES: Confinement = {
  inside: (argv, user) => [
    ...['unshare', '--mount', 'sh', '-c', 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', 'sh'],
    ...(user === undefined ? argv : asUser(user, argv)),
  ],
  connect: (host, port) => tryConnection(host, port),
};

/**
 * Makes a network namespace look as on a kernel that was booted with ipv6.disable=1: it has no address of IPv6, and no program
 * within, root's included, gets a socket.
 */
export async function confineToIpv4(namespace: Namespace): Promise<Confinement> {
  await namespace.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6']);
  return {
    inside: (argv, user) =>
      namespace.inside([
        'perl',
        '-e',
        REFUSE_IPV6,
        '--',
        ...(user === undefined ? argv : asUser(user, argv)),
      ]),
    connect: (host, port) => namespace.connect(host, port),
  };
}

/**
 * A seccomp filter (seccomp(2)) in classic BPF: socket(AF_INET6, …) fails with EAFNOSUPPORT. Root may install it without
 * no_new_privs, with which sudo would not work. Numbers of socket and prctl: x86-64 and ARM64.
 */
const REFUSE_IPV6 = `
  my ($socket, $prctl) = qx(uname -m) =~ /^x86_64/ ? (41, 157) : (198, 167);
  my @program = ([0x20, 0, 0, 0], [0x15, 0, 3, $socket], [0x20, 0, 0, 16], [0x15, 0, 1, 10], [0x06, 0, 0, 0x50000 | 97],
    [0x06, 0, 0, 0x7fff0000]);
  my $filter = join('', map { pack('SCCL', @$_) } @program);
  syscall($prctl, 22, 2, pack('Sx6P', scalar(@program), $filter), 0, 0) == 0 or die "seccomp: $!\n";
  exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
`;

function tryConnection(host: string, port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code);
    });
  });
}
