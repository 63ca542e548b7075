# Makes mounts by mount(2). Loaded by enter-sandbox, which defines fail, after seccomp.pl and load_system_calls.
# A process of mount(8) for them takes some milliseconds of each creation.
use strict;

# sys/mount.h
sub MS_RDONLY () { 1 }
sub MS_NOSUID () { 2 }
sub MS_NODEV () { 4 }
sub MS_NOEXEC () { 8 }
sub MS_REMOUNT () { 0x20 }
sub MS_BIND () { 0x1000 }

# Of the fourth field of fstab(5).
my %FLAGS = (
  bind => MS_BIND,
  nodev => MS_NODEV,
  noexec => MS_NOEXEC,
  nosuid => MS_NOSUID,
  ro => MS_RDONLY,
  rw => 0,
);

sub make_directories {
  my ($root, $path) = @_;
  for (grep { $_ ne '' } split(m{/}, $path)) {
    $root .= "/$_";
    -d $root or mkdir($root, 0755) or fail("$root: $!");
  }
}

# mount_at SOURCE TARGET TYPE FLAGS DATA: with 0 for what is not given.
sub mount_at {
  my ($source, $target, @rest) = @_;
  call("mount $target", get_number('mount'), $source, $target, @rest);
}

# bind_at SOURCE TARGET FLAGS: mount(2) ignores other flags with MS_BIND, except in a remount.
sub bind_at {
  my ($source, $target, $flags) = @_;
  mount_at($source, $target, 0, MS_BIND, 0);
  mount_at($source, $target, 0, MS_REMOUNT | MS_BIND | $flags, 0);
}

# make_target SOURCE TARGET: a directory, or for a file a file.
sub make_target {
  my ($source, $target) = @_;
  return make_directories('', $target) if !-f $source;
  make_directories('', $target =~ s{/[^/]*$}{}r);
  -e $target or open(my $file, '>', $target) or fail("$target: $!");
}

# make_mount SOURCE TARGET TYPE OPTIONS: a line of fstab(5). X-mount.mkdir makes the target.
sub make_mount {
  my ($source, $target, $type, $options) = @_;
  my ($flags, @data) = (0);
  for my $option (split(/,/, $options)) {
    if ($option eq 'X-mount.mkdir') {
      make_target($source, $target);
    } elsif (exists $FLAGS{$option}) {
      $flags |= $FLAGS{$option};
    } else {
      push(@data, $option);
    }
  }
  if ($flags & MS_BIND) {
    fail("mount $target: @data is no option of a bind mount") if @data;
    bind_at($source, $target, $flags);
  } else {
    mount_at($source, $target, $type, $flags, join(',', @data));
  }
}

# make_mounts FILE: all that it lists, in this order. Paths have no white space.
sub make_mounts {
  my ($file) = @_;
  open(my $list, '<', $file) or fail("$file: $!");
  while (my $line = <$list>) {
    make_mount(split(' ', $line));
  }
}

1;
