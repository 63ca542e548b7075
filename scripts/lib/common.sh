# shellcheck shell=bash
#
# What all scripts share: strict mode, arguments, the installation's paths, ids and processes.
# Sourced by a script that runs as root through sudo. Paths come from host.conf beside the scripts alone.
set -Eeuo pipefail
shopt -s inherit_errexit
umask 077
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
unset -v TMPDIR

# Exit codes of sysexits.h; the server tells them apart (src/exec/script-error.ts).
# shellcheck disable=SC2034 # not every script uses every code
readonly EX_USAGE=64 EX_DATAERR=65 EX_NOINPUT=66 EX_UNAVAILABLE=69 EX_SOFTWARE=70 EX_CANTCREAT=73 EX_IOERR=74 EX_CONFIG=78

readonly SCRIPTS=${BASH_SOURCE[0]%/lib/*}

# A pipe to which nobody writes. Of a script that waits it is older than all that is read from here on.
TICK_FD=''
if [[ ${1-} == wait ]]; then exec {TICK_FD}<> <(:); fi

# As good as nothing on a volume, in bytes.
readonly NO_ROOM=4194304

# Prints a reason for the operator's log and exits with the code.
die() {
  local code=$1
  shift
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit "${code}"
}

# notice TEXT: something the operator should know; the server logs it.
notice() { printf '%s: notice: %s\n' "${0##*/}" "$*" >&2; }

host_conf_read=''

# Reads the installation's paths and uid ranges, once. Only root may be able to change that file.
read_host_conf() {
  local conf=${SCRIPTS}/host.conf owner
  if [[ -n ${host_conf_read} ]]; then return 0; fi
  [[ ${EUID} -eq 0 ]] || die "${EX_USAGE}" 'run as root'
  owner=$(stat -Lc '%u %A' -- "${conf}") || die "${EX_CONFIG}" "cannot read ${conf}"
  [[ ${owner} =~ ^0\ -....-..-.$ ]] || die "${EX_CONFIG}" "${conf} must belong to root and be writable by root alone"
  # shellcheck source=/dev/null
  source "${conf}"
  : "${DATA_PATH:?}" "${RUN_PATH:?}" "${POSTGRES_ROOT:?}" "${UPLOAD_USER:?}"
  : "${IMAGE_UID_BASE:?}" "${INSTANCE_UID_BASE:?}" "${UID_COUNT:=1000000000}" "${LOCK_WAIT:=20}" "${STOP_WAIT:=60}"
  : "${MAX_UPLOAD_FILES:=1000000}"
  limit_uid_count
  UPLOADS=${DATA_PATH}/image_uploads
  SNAPSHOTS=${DATA_PATH}/image_snapshots
  IMAGE_WORK=${DATA_PATH}/image_work
  INSTANCES=${DATA_PATH}/instances
  INSTANCE_CONFIG=${DATA_PATH}/instance_config
  local path
  for path in "${SCRIPTS}" "${DATA_PATH}" "${RUN_PATH}" "${POSTGRES_ROOT}"; do
    # They are written into configuration files and tables of mounts.
    [[ ${path} =~ ^(/[A-Za-z0-9._@+-]+)+$ ]] || die "${EX_CONFIG}" "${path} is no absolute path of plain characters"
  done
  readonly DATA_PATH RUN_PATH POSTGRES_ROOT UPLOAD_USER IMAGE_UID_BASE INSTANCE_UID_BASE UID_COUNT LOCK_WAIT STOP_WAIT MAX_UPLOAD_FILES
  readonly UPLOADS SNAPSHOTS IMAGE_WORK INSTANCES INSTANCE_CONFIG
  host_conf_read=yes
}

# limit_uid_count: the two ranges must not meet, as those of quickstart did before it set UID_COUNT, nor pass
# the highest uid (chown(2)).
limit_uid_count() {
  local distance=$((IMAGE_UID_BASE - INSTANCE_UID_BASE)) left
  distance=${distance#-}
  left=$((4294967295 - (IMAGE_UID_BASE > INSTANCE_UID_BASE ? IMAGE_UID_BASE : INSTANCE_UID_BASE)))
  if [[ ${UID_COUNT} -gt ${distance} ]]; then UID_COUNT=${distance}; fi
  if [[ ${UID_COUNT} -gt ${left} ]]; then UID_COUNT=${left}; fi
}

# require_uid ID: what is behind UID_COUNT may be another installation's.
require_uid() {
  [[ $1 -lt ${UID_COUNT} ]] || die "${EX_CONFIG}" "host.conf: id $1 is not below UID_COUNT=${UID_COUNT}"
}

# set_uid BASE ID: sets uid, the number of a user.
# shellcheck disable=SC2034 # uid is the caller's
set_uid() {
  require_uid "$2"
  uid=$(($1 + $2))
}

# For the scripts that work on the volume: when it is not mounted nothing may be written below its mount point.
load_host_conf() {
  read_host_conf
  require_volume
}

# require_volume: a script that finds what it works on can do without; where it is missing, the volume may be.
require_volume() {
  if is_data_path; then return 0; fi
  [[ ! -L ${DATA_PATH} ]] \
    || die "${EX_CONFIG}" "${DATA_PATH} is a symbolic link: name the directory that it leads to"
  die "${EX_CONFIG}" "${DATA_PATH} is neither a btrfs subvolume nor a directory on btrfs with the folders" \
    'image_uploads, image_snapshots and instances: is the volume mounted?'
}

# is_data_path: the root of a subvolume, as a mounted volume is, or an ordinary directory on btrfs that has
# the folders. A mount point without its volume is neither, even on a host whose root is btrfs: it has no
# folders.
is_data_path() {
  if is_subvolume "${DATA_PATH}"; then return 0; fi
  [[ -d ${UPLOADS} && -d ${SNAPSHOTS} && -d ${INSTANCES} && ! -L ${DATA_PATH} ]] || return 1
  [[ $(stat -fc %T -- "${DATA_PATH}") == btrfs ]]
}

# shellcheck source=lib/layout.sh
source "${SCRIPTS}/lib/layout.sh"

# is_id VALUE: ids as the API takes them. sudoers matches arguments joined by spaces, so it is checked again here.
is_id() { [[ $1 =~ ^[1-9][0-9]{0,8}$ ]]; }

# is_port VALUE
is_port() { [[ $1 =~ ^[1-9][0-9]{3,4}$ && $1 -ge 1024 && $1 -le 65535 ]]; }

usage() { die "${EX_USAGE}" "usage: ${0##*/} $*"; }

# take_arguments ARGUMENTS…: sets arguments. A script that was started in advance, with «wait» for its only argument, says «waiting» and
# waits for a line of them on stdin; when none comes it was not needed. It begins anew where the installation has changed meanwhile.
# shellcheck disable=SC2034 # arguments is the caller's
take_arguments() {
  local line='' file
  arguments=("$@")
  if [[ $# -ne 1 || $1 != wait ]]; then return 0; fi
  read_host_conf
  printf 'waiting\n'
  IFS= read -r -n 64 line || exit 0
  [[ ${line} =~ ^[0-9]+(\ [0-9]+)*$ ]] || die "${EX_USAGE}" 'the line on stdin holds no numbers'
  IFS=' ' read -r -a arguments <<<"${line}"
  for file in "${SCRIPTS}" "${SCRIPTS}"/* "${SCRIPTS}"/lib/*; do
    if [[ ${file} -nt /dev/fd/${TICK_FD} ]]; then
      close_private_fds
      exec -- "$0" "${arguments[@]}"
    fi
  done
}

# require_id COUNT ARGUMENTS…: for the scripts whose one argument is an id.
require_id() {
  if [[ $# -ne 1 ]] || ! is_id "$1"; then usage ID; fi
}

# The root of a btrfs subvolume always has inode 256 (btrfs-subvolume(8)).
is_subvolume() { [[ -d $1 && ! -L $1 && $(stat -fc %T -- "$1")$(stat -c %i -- "$1") == btrfs256 ]]; }

# delete_subvolume PATH: done when it is gone already. A read-only snapshot is deleted as it is. Any user may have made subvolumes
# below it, which are in the way: they go first, the deepest first. No user of it should run any more, but any may have been let in.
delete_subvolume() {
  local path=$1
  if [[ ! -e ${path} ]]; then return 0; fi
  if btrfs -q subvolume delete -- "${path}" >/dev/null 2>&1; then return 0; fi
  # Nothing can be taken out of one that is read-only.
  make_writable "${path}"
  find "${path}" -depth -mindepth 1 -type d -inum 256 -execdir perl "${SCRIPTS}/lib/nested-subvolume" delete {} \; >/dev/null 2>&1 || true
  btrfs -q subvolume delete -- "${path}" >/dev/null
}

# make_writable PATH: every subvolume in there. find(1) goes from directory to directory by their descriptors, so that it follows no link
# and comes to what has too long a path for a program.
make_writable() {
  find "$1" -type d -inum 256 -execdir perl "${SCRIPTS}/lib/nested-subvolume" writable {} \; >/dev/null 2>&1 || true
}

# measure_room: blocks that are free, and all.
measure_room() { stat -f -c '%a %b' -- "${DATA_PATH}"; }

# give_back: the file system frees what was deleted half a minute later, with its next transaction (btrfs(5), commit). Where room
# was short, as measure_room has said on stdin, somebody waits for it.
give_back() {
  local free total
  read -r free total
  if [[ ${free} -lt $((total / 20)) ]]; then btrfs filesystem sync "${DATA_PATH}" || true; fi
}

# is_full FILE…: whether want of space is why something failed: one of these files tells so, in the words of errno(3) or as an
# SQLSTATE (PostgreSQL manual, appendix A: disk_full), or the volume has so little room that nobody could even tell.
is_full() {
  local blocks size
  read -r blocks size < <(stat -f -c '%a %S' -- "${DATA_PATH}") || return 1
  if [[ $((blocks * size)) -lt ${NO_ROOM} ]]; then return 0; fi
  grep -qsE 'No space left on device|Disk quota exceeded|(ERROR|FATAL|PANIC):  53100' -- "$@"
}

# ignore_signals: the first command of every trap that cleans up. No further signal may stop it half-way. A trap also runs inside the
# builtin that the signal interrupts, with the assignments and options in force there: inside `IFS= read` no word would be split.
ignore_signals() {
  trap '' TERM INT HUP PIPE
  IFS=$' \t\n'
  set -Eeuo pipefail
  set +f
}

# close_output: the reader of stdout and stderr may be gone, and a failed write must not stop a clean-up.
close_output() { exec >/dev/null 2>&1; }

# tick: waits 2 ms without a process of its own.
tick() {
  if [[ -z ${TICK_FD} ]]; then exec {TICK_FD}<> <(:); fi
  read -rt 0.002 -u "${TICK_FD}" || true
}

# close_private_fds: a daemon must not inherit the lock or the clock.
close_private_fds() {
  exec 9>&-
  if [[ -n ${TICK_FD} ]]; then exec {TICK_FD}>&-; fi
}

# shellcheck source=lib/lock.sh
source "${SCRIPTS}/lib/lock.sh"
