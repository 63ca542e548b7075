# Mounts a directory so that its files appear to belong to another user (mount_setattr(2), "ID-mapped mounts";
# since Linux 5.12, on btrfs since 5.15). Loaded by enter-sandbox, which defines fail, after seccomp.pl.
# In Perl, which every Debian has: no program of Debian makes such a mount before util-linux 2.39.
use strict;

# System calls since Linux 5.1 have the same numbers on x86-64 and ARM64 (asm-generic/unistd.h).
sub OPEN_TREE () { 428 }
sub MOVE_MOUNT () { 429 }
sub CLONE3 () { 435 }
sub MOUNT_SETATTR () { 442 }
# linux/mount.h, linux/sched.h, linux/fcntl.h
sub OPEN_TREE_CLONE () { 1 }
sub OPEN_TREE_CLOEXEC () { 0x80000 }
sub MOVE_MOUNT_F_EMPTY_PATH () { 4 }
sub MOUNT_ATTR_NOSUID () { 2 }
sub MOUNT_ATTR_NODEV () { 4 }
sub MOUNT_ATTR_NOEXEC () { 8 }
sub MOUNT_ATTR_IDMAP () { 0x100000 }
sub MS_PRIVATE () { 0x40000 }
sub CLONE_NEWUSER () { 0x10000000 }
sub SIGCHLD () { 17 }
sub AT_FDCWD () { -100 }
sub AT_EMPTY_PATH () { 0x1000 }
my $UNSAFE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

sub write_file {
  my ($file, $text) = @_;
  open(my $handle, '>', $file) or fail("$file: $!");
  # One write(2), as user_namespaces(7) wants it.
  (syswrite($handle, $text) // -1) == length $text or fail("$file: $!");
  close($handle);
}

# open_mapping OWNER UID: a user namespace that maps the one number to the other. A mount keeps it when the
# process that it was made with has ended.
sub open_mapping {
  my ($owner, $uid) = @_;
  pipe(my $end, my $ours) or fail("pipe: $!");
  # struct clone_args (clone(2)); without a stack of its own the child goes on here, as after fork(2).
  my $holder = syscall(CLONE3, my $clone = pack('Q8', CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0), 64);
  # Without the text of errno(3): is_full of common.sh would take ENOSPC for a full volume.
  fail('no user namespace can be made (user.max_user_namespaces, clone3)') if $holder < 0;
  if ($holder == 0) {
    close($ours);
    sysread($end, my $nothing, 1);
    kill('KILL', $$);
  }
  write_file("/proc/$holder/$_", "$owner $uid 1\n") for qw(uid_map gid_map);
  open(my $namespace, '<', "/proc/$holder/ns/user") or fail("user namespace: $!");
  kill('KILL', $holder);
  waitpid($holder, 0);
  return $namespace;
}

# mount_mapped MAPPING DIRECTORY TARGET
sub mount_mapped {
  my ($mapping, $directory, $target) = @_;
  my $tree = call('open_tree', OPEN_TREE, AT_FDCWD, $directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  # struct mount_attr (mount_setattr(2)): set, cleared, propagation, user namespace
  my $attributes = pack('Q4', $UNSAFE | MOUNT_ATTR_IDMAP, 0, MS_PRIVATE, fileno($mapping));
  call('mount_setattr', MOUNT_SETATTR, $tree, my $empty = '', AT_EMPTY_PATH, $attributes, 32);
  call('move_mount', MOVE_MOUNT, $tree, $empty, AT_FDCWD, $target, MOVE_MOUNT_F_EMPTY_PATH);
}

1;
