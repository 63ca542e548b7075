# shellcheck shell=bash
#
# What a process of an instance or an image sees of the host, and how much of it it may take.
#
#   filter    the system calls that Postgres and programs need, no others (lib/seccomp.pl)
#   root      a directory tree of its own by mount namespace and chroot: programs and /etc read-only, its own data,
#             configuration and socket directory, a private /tmp, no processes but its own in /proc, no /run. A process
#             whose root is not that of its mount namespace cannot make user namespaces either (user_namespaces(7), EPERM).
#   cgroup    memory and number of processes; named after the uid, outside of the server's own cgroup
#
# Where the host does not allow one of them, resource limits and a clean-up afterwards take its place.

# shellcheck source=lib/cgroup.sh
source "${SCRIPTS}/lib/cgroup.sh"

# Where any user of the host may write, as long as the process has no /tmp of its own.
readonly SHARED_FOLDERS=(/tmp /var/tmp /dev/shm /run/lock)

# What perl(1) would read.
unset -v PERL5LIB PERLLIB PERL5OPT PERL5DB

# load_limits: from host.conf, with defaults; a typing error in there must not become «no limit».
load_limits() {
  local value
  : "${INSTANCE_MEMORY_MAX:=1G}" "${INSTANCE_TASKS_MAX:=256}" "${IMAGE_MEMORY_MAX:=4G}" "${IMAGE_TASKS_MAX:=512}"
  : "${SANDBOX_TMP_MAX:=256M}" "${CGROUP:=draupnir}"
  readonly INSTANCE_MEMORY_MAX INSTANCE_TASKS_MAX IMAGE_MEMORY_MAX IMAGE_TASKS_MAX SANDBOX_TMP_MAX CGROUP
  for value in "${INSTANCE_MEMORY_MAX}" "${IMAGE_MEMORY_MAX}" "${SANDBOX_TMP_MAX}"; do
    [[ ${value} =~ ^[1-9][0-9]{0,8}[MG]$ ]] || die "${EX_CONFIG}" "host.conf: ${value} is no amount of memory: write 512M or 1G"
  done
  for value in "${INSTANCE_TASKS_MAX}" "${IMAGE_TASKS_MAX}"; do
    [[ ${value} =~ ^[1-9][0-9]{0,6}$ ]] || die "${EX_CONFIG}" "host.conf: ${value} is no number of processes"
  done
  [[ ${CGROUP} =~ ^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$ ]] \
    || die "${EX_CONFIG}" "host.conf: CGROUP=${CGROUP} is no path below ${CGROUP_MOUNT}"
}

# ensure_sandbox: sets NAMESPACE (slave or unchanged: how mounts propagate to it; none), CGROUP_VERSION (2, 1, none),
# MAPPING (mapped: a sandbox can show files as another user's; same) and FILTER (filter: system calls can be limited;
# no-filter). Tried out once after each boot, then stored; RUN_PATH may survive a reboot. The line of an older version
# has one field less, so that its boot does not match.
ensure_sandbox() {
  local boot='' found_in=''
  readonly SANDBOX_ROOT=${RUN_PATH}/root SANDBOX_FOUND=${RUN_PATH}/sandbox
  load_limits
  read -r boot </proc/sys/kernel/random/boot_id
  if [[ -r ${SANDBOX_FOUND} ]] \
    && read -r NAMESPACE CGROUP_VERSION MAPPING FILTER found_in <"${SANDBOX_FOUND}" \
    && [[ ${found_in} == "${boot}" ]] && has_controllers; then
    return 0
  fi
  find_out_sandbox
}

# find_out_sandbox: tries it out.
find_out_sandbox() {
  # shellcheck source=lib/probe-sandbox.sh
  source "${SCRIPTS}/lib/probe-sandbox.sh"
  probe_sandbox
}

# forget_sandbox LOG: tells why a sandbox could not be made, if that stands in the log: it is found out anew by the next that needs one.
forget_sandbox() {
  if grep -sE '^(enter-sandbox|exec-filtered): ' -- "$1" >&2; then rm -f -- "${SANDBOX_FOUND}"; fi
}

# write_mounts FILE rw:PATH… ro:PATH… exec:PATH…: the directory tree of a sandbox in the form of fstab(5), for lib/mounts.pl.
# Paths are the same inside and outside. /dev/shm and /var/tmp are the one private /tmp, so that one limit bounds them.
# enter-sandbox makes the rest of /dev.
write_mounts() {
  local file=$1 root=${SANDBOX_ROOT} entry mode safe='bind,nosuid,nodev,X-mount.mkdir'
  shift
  {
    printf 'tmpfs %s tmpfs mode=0755,size=64k,nosuid,nodev,noexec\n' "${root}"
    for entry in /usr /etc /bin /sbin /lib /lib64; do
      if [[ -d ${entry} ]]; then printf '%s %s%s none %s,ro\n' "${entry}" "${root}" "${entry}" "${safe}"; fi
    done
    # Programs find libraries beside themselves by /proc/self/exe (ld.so(8), $ORIGIN); other users' processes are not in there.
    printf 'proc %s/proc proc ro,hidepid=2,subset=pid,nosuid,nodev,noexec,X-mount.mkdir\n' "${root}"
    printf 'tmpfs %s/tmp tmpfs mode=1777,size=%s,nosuid,nodev,noexec,X-mount.mkdir\n' "${root}" "${SANDBOX_TMP_MAX}"
    printf '%s/tmp %s/var/tmp none %s,noexec\n' "${root}" "${root}" "${safe}"
    printf '%s/tmp %s/dev/shm none %s,noexec\n' "${root}" "${root}" "${safe}"
    printf '%s %s%s none %s,ro\n' "${POSTGRES_ROOT}" "${root}" "${POSTGRES_ROOT}" "${safe}"
    for entry in "$@"; do
      case "${entry%%:*}" in
        exec) mode=ro ;;
        *) mode=noexec,${entry%%:*} ;;
      esac
      printf '%s %s%s none %s,%s\n' "${entry#*:}" "${root}" "${entry#*:}" "${safe}" "${mode}"
    done
  } >"${file}"
}

# become UID MOUNTS [NAMESPACE-OPTIONS…] [--private-udp] [--data DIRECTORY OWNER] -- COMMAND…: replaces this process by
# the command, as the uid without any privilege, with a clean environment, limited system calls, and in a sandbox of
# its own where there is one. --private-udp: see exec-filtered. With --data it waits for «launch» on stdin before it
# mounts the directory, as enter-sandbox does, and becomes the command.
become() {
  local uid=$1 mounts=$2 namespaces=() late=() filter=${FILTER} drop
  shift 2
  while [[ $1 != -- ]]; do
    case "$1" in
      --data)
        late=(--data "$2" "$3" "${uid}")
        shift 2
        ;;
      --private-udp) if [[ ${filter} == filter ]]; then filter=private-udp; fi ;;
      *) namespaces+=("$1") ;;
    esac
    shift
  done
  shift
  drop=(setpriv --reuid="${uid}" --regid="${uid}" "${NO_PRIVILEGES[@]}" --)
  if [[ ${NAMESPACE} != none ]]; then
    exec unshare --mount --ipc --propagation "${NAMESPACE}" "${namespaces[@]}" -- \
      perl "${SCRIPTS}/lib/enter-sandbox" "${mounts}" "${SANDBOX_ROOT}" "--${filter}" "${late[@]}" -- \
      "${drop[@]}" "$@"
  fi
  if [[ ${#late[@]} -gt 0 ]]; then
    await_word launch
    exec </dev/null
  fi
  drop=(perl "${SCRIPTS}/lib/exec-filtered" "--${filter}" -- "${drop[@]}")
  if [[ ${#namespaces[@]} -gt 0 ]]; then drop=(unshare "${namespaces[@]}" -- "${drop[@]}"); fi
  exec env -i -C / PATH="${PATH}" LC_ALL=C "${drop[@]}" "$@"
}

# await_word WORD: the next line of stdin; whoever does not say that any more has ended.
await_word() {
  local word=''
  read -r word || true
  [[ ${word} == "$1" ]] || exit "${EX_SOFTWARE}"
}

# remove_traces UID: what its processes may have left outside of their own directories: nothing, where they had a /tmp and an IPC
# namespace of their own. Files are removed as the uid itself.
remove_traces() {
  local uid=$1 kind option column entry fields
  if [[ ${NAMESPACE} != none ]]; then return 0; fi
  # -user takes no number above 2^31.
  as_uid "${uid}" find "${SHARED_FOLDERS[@]}" -xdev -depth -uid "${uid}" -delete </dev/null >/dev/null 2>&1 || true
  # proc_sysvipc(5): shm and msg have the uid in the eighth column, sem in the fifth.
  while read -r kind option column; do
    while IFS= read -r entry; do
      read -ra fields <<<"${entry}"
      if [[ ${fields[column]} == "${uid}" ]]; then ipcrm "${option}" "${fields[1]}"; fi
    done <"/proc/sysvipc/${kind}"
  done <<<$'shm -m 7\nmsg -q 7\nsem -s 4'
}
