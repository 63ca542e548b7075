# Limits the system calls of a process and of all its children with a filter (seccomp(2)). The filter allows
# the calls that system-calls.txt lists. Every other call fails with EPERM. clone3, and calls newer than the
# list, fail with ENOSYS, so that programs fall back to an older call. A call of another architecture (i386 by
# int 0x80) kills the process; calls of x32 count as newer than the list.
# Loaded by enter-sandbox and exec-filtered, which define fail. In Perl, since hosts need no compiler and no
# libseccomp then.
use strict;

# linux/audit.h
my %AUDIT_ARCH = (x86_64 => 0xC000003E, aarch64 => 0xC00000B7);

# linux/bpf_common.h: load a word of struct seccomp_data; bitwise and; jump if equal, if greater or equal, if
# a bit is set; return.
sub LOAD () { 0x20 }
sub AND () { 0x54 }
sub JEQ () { 0x15 }
sub JGE () { 0x35 }
sub JSET () { 0x45 }
sub RET () { 0x06 }
# linux/seccomp.h
sub KILL_PROCESS () { 0x80000000 }
sub ERRNO () { 0x50000 }
sub ALLOW () { 0x7FFF0000 }
sub SECCOMP_SET_MODE_FILTER () { 1 }
# Without it, Linux before 5.16 turns on mitigations that slow down every process with a filter.
sub SECCOMP_FILTER_FLAG_SPEC_ALLOW () { 4 }
# linux/prctl.h, linux/keyctl.h
sub PR_SET_NO_NEW_PRIVS () { 38 }
sub KEYCTL_JOIN_SESSION_KEYRING () { 1 }
# linux/sched.h: a network namespace, and all namespaces that clone(2) can make.
sub CLONE_NEWNET () { 0x40000000 }
sub CLONE_NEW_ANY () { 0x7E020000 }
# asm-generic/errno.h
sub EPERM () { 1 }
sub ENOSYS () { 38 }
sub EAFNOSUPPORT () { 97 }
# linux/socket.h, linux/net.h, linux/in.h, linux/netlink.h
sub AF_UNIX () { 1 }
sub AF_INET () { 2 }
sub AF_INET6 () { 10 }
sub AF_NETLINK () { 16 }
sub SOCK_STREAM () { 1 }
sub SOCK_DGRAM () { 2 }
sub SOCK_TYPE_MASK () { 0xF }
sub IPPROTO_TCP () { 6 }
sub IPPROTO_UDP () { 17 }
sub NETLINK_ROUTE () { 0 }
# linux/sockios.h, linux/if.h
sub SIOCSIFFLAGS () { 0x8914 }
sub IFF_UP () { 1 }
# asm-generic/ioctls.h, linux/tty.h: requests that insert input into a terminal.
sub TIOCSTI () { 0x5412 }
sub TIOCLINUX () { 0x541C }

# Number and mark («», «?» or «!») of each call by its name, from system-calls.txt.
my (%number, %mark);
my $machine = '';

# load_system_calls MACHINE: reads the list. All functions below need it.
sub load_system_calls {
  ($machine) = @_;
  my $column = $machine eq 'x86_64' ? 0 : 1;
  fail("there is no list of system calls for $machine") if !$AUDIT_ARCH{$machine};
  my $file = __FILE__ =~ s{[^/]*$}{system-calls.txt}r;
  open(my $list, '<', $file) or fail("$file: $!");
  while (my $line = <$list>) {
    my ($name, $mark, @numbers) = $line =~ /^([a-z]\w*)([?!]?) (\d+|-) (\d+|-)$/ or next;
    next if $numbers[$column] eq '-';
    $number{$name} = $numbers[$column] + 0;
    $mark{$name} = $mark;
  }
}

# get_machine: x86_64, aarch64 or another: the architecture of Perl, whose system calls these are. From its
# ELF header, since Config.pm takes 1.5 ms to load.
sub get_machine {
  open(my $perl, '<:raw', '/proc/self/exe') or fail("/proc/self/exe: $!");
  # elf(5): e_machine
  read($perl, my $header, 20) == 20 or fail('/proc/self/exe is cut short');
  my $number = unpack('x18 S', $header);
  return {62 => 'x86_64', 183 => 'aarch64'}->{$number} // "machine $number of elf(5)";
}

# get_number NAME: of a call of the list.
sub get_number {
  my ($name) = @_;
  return $number{$name};
}

# call WHAT NUMBER ARGUMENTS…: the result of a system call.
sub call {
  my ($what, @arguments) = @_;
  my $result = syscall($arguments[0], @arguments[1 .. $#arguments]);
  fail("$what: $!") if $result < 0;
  return $result;
}

# call_by_name NAME ARGUMENTS…: the same for a call of the list.
sub call_by_name {
  my ($name, @arguments) = @_;
  return call($name, get_number($name), @arguments);
}

# struct sock_filter (linux/filter.h): code, jump if true, jump if false, value.
sub statement {
  my ($code, $value) = @_;
  return pack('SCCL', $code, 0, 0, $value);
}

sub allow {
  return statement(RET, ALLOW);
}

# refuse ERRNO: with 0, the call returns 0 and has no effect.
sub refuse {
  return statement(RET, ERRNO | $_[0]);
}

# argument INDEX: loads its lower 32 bits. The kernel ignores the rest of the arguments that are checked here.
sub argument {
  return statement(LOAD, 16 + 8 * $_[0]);
}

# on CODE VALUE INSTRUCTIONS…: runs the instructions if the comparison holds.
sub on {
  my ($code, $value, @instructions) = @_;
  my $block = join('', @instructions);
  return pack('SCCL', $code, 0, length($block) / 8, $value) . $block;
}

# below VALUE INSTRUCTION: runs the instruction if the loaded word is less.
sub below {
  my ($value, $instruction) = @_;
  return pack('SCCL', JGE, 1, 0, $value) . $instruction;
}

# refuse_others VALUES…: continues if the loaded word is one of the values.
sub refuse_others {
  my @values = @_;
  my @jumps = map { pack('SCCL', JEQ, $#values - $_ + 1, 0, $values[$_]) } 0 .. $#values;
  return join('', @jumps, refuse(EPERM));
}

# check_socket PRIVATE_UDP: allows AF_UNIX, TCP, UDP, and NETLINK_ROUTE, from which getaddrinfo(3) reads the
# addresses of the host. The firewall does not see families that are not IP, such as AF_VSOCK, and it cannot
# assign every packet of MPTCP to a user. With PRIVATE_UDP a UDP socket without flags is descriptor 0
# (open_private_udp). Postgres asks for one without flags, getaddrinfo(3) sets SOCK_CLOEXEC.
sub check_socket {
  my ($private_udp) = @_;
  my $ipv4 = on(JEQ, AF_INET, refuse(0));
  my $private = on(JEQ, SOCK_DGRAM, argument(0), $ipv4, refuse(EAFNOSUPPORT));
  return argument(0)
    . on(JEQ, AF_UNIX, allow())
    . on(JEQ, AF_NETLINK, argument(2), refuse_others(NETLINK_ROUTE), allow())
    . refuse_others(AF_INET, AF_INET6)
    . argument(1)
    . ($private_udp ? $private : '')
    . statement(AND, SOCK_TYPE_MASK)
    . refuse_others(SOCK_STREAM, SOCK_DGRAM)
    . argument(2)
    . refuse_others(0, IPPROTO_TCP, IPPROTO_UDP)
    . allow();
}

# build_filter PRIVATE_UDP: the program.
sub build_filter {
  my ($private_udp) = @_;
  my %check = (
    clone => argument(0) . on(JSET, CLONE_NEW_ANY, refuse(EPERM)) . allow(),
    clone3 => refuse(ENOSYS),
    ioctl => argument(1) . join('', map { on(JEQ, $_, refuse(EPERM)) } TIOCSTI, TIOCLINUX) . allow(),
    # PER_LINUX, and the query of the present one.
    personality => argument(0) . refuse_others(0, 0xFFFFFFFF) . allow(),
    socket => check_socket($private_udp),
    socketpair => argument(0) . refuse_others(AF_UNIX) . allow(),
  );
  my ($newest) = sort { $b <=> $a } values %number;
  # struct seccomp_data: number, architecture, address, arguments.
  my $program = statement(LOAD, 4) . pack('SCCL', JEQ, 1, 0, $AUDIT_ARCH{$machine});
  $program .= statement(RET, KILL_PROCESS);
  $program .= statement(LOAD, 0) . on(JGE, $newest + 1, refuse(ENOSYS));
  $program .= on(JEQ, $number{$_}, $check{$_}) for sort keys %check;
  # Ranges in ascending order: numbers below a range are refused, numbers in it allowed.
  my @allowed = sort { $a <=> $b } map { $number{$_} } grep { $mark{$_} eq '' } keys %mark;
  my $next = 0;
  for my $allowed (@allowed) {
    $program .= below($next, allow()) . below($allowed, refuse(EPERM)) if $allowed > $next;
    $next = $allowed + 1;
  }
  return $program . below($next, allow()) . refuse(EPERM);
}

# open_private_udp: a UDP socket on the loopback of a network namespace of its own, which lasts as long as
# the socket. The statistics collector of Postgres 13 and 14 sends UDP to itself. On the loopback of the
# host it could reach services that share their port (SO_REUSEADDR), and no firewall rule can name the
# receiving socket. The caller makes it the stdin of Postgres, and the filter with PRIVATE_UDP answers 0
# when Postgres asks for a UDP socket. Returns undef where there are no network namespaces.
sub open_private_udp {
  open(my $own, '<', '/proc/self/ns/net') or fail("/proc/self/ns/net: $!");
  return undef if syscall($number{unshare}, CLONE_NEWNET) < 0;
  socket(my $socket, AF_INET, SOCK_DGRAM, IPPROTO_UDP) or fail("socket: $!");
  # struct ifreq: name, flags.
  ioctl($socket, SIOCSIFFLAGS, my $request = pack('a16 S x22', 'lo', IFF_UP)) or fail("lo: $!");
  call_by_name('setns', fileno($own), CLONE_NEWNET);
  return $socket;
}

# filter_system_calls PRIVATE_UDP: cannot be undone. Also leaves the session keyring (keyrings(7)), whose
# keys the command would possess. Without keys in the kernel this call fails, and there is nothing to leave.
sub filter_system_calls {
  my $program = build_filter(@_);
  syscall($number{keyctl}, KEYCTL_JOIN_SESSION_KEYRING, 0);
  call_by_name('prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  # struct sock_fprog (linux/filter.h)
  my $filter = pack('S x![P] P', length($program) / 8, $program);
  call_by_name('seccomp', SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, $filter);
}

1;
