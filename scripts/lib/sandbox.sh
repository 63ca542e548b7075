# shellcheck shell=bash
#
# What a process of an instance or an image sees of the host, and how much of it it may take.
#
#   root      a directory tree of its own by mount namespace and chroot: programs and /etc read-only, its own data,
#             configuration and socket directory, a private /tmp, no processes but its own in /proc, no /run. A process
#             whose root is not that of its mount namespace cannot make user namespaces either (user_namespaces(7), EPERM).
#   cgroup    memory and number of processes; named after the uid, outside of the server's own cgroup
#
# Where the host does not allow one of them, resource limits and a clean-up afterwards take its place.

readonly CGROUP_MOUNT=/sys/fs/cgroup
# Where any user of the host may write, as long as the process has no /tmp of its own.
readonly SHARED_FOLDERS=(/tmp /var/tmp /dev/shm /run/lock)

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

# ensure_sandbox: sets NAMESPACE (slave or unchanged: how mounts propagate to it; none) and CGROUP_VERSION (2, 1, none). Tried out
# once after a reboot, which RUN_PATH may survive, then remembered; what is missing is told once, to the operator.
ensure_sandbox() {
  local file=${RUN_PATH}/sandbox boot='' found_in=''
  readonly SANDBOX_ROOT=${RUN_PATH}/root
  load_limits
  read -r boot </proc/sys/kernel/random/boot_id
  if [[ -r ${file} ]] && read -r NAMESPACE CGROUP_VERSION found_in <"${file}" && [[ ${found_in} == "${boot}" ]] \
    && has_controllers; then
    return 0
  fi
  install -d -m 0700 -- "${SANDBOX_ROOT}"
  write_mounts "${file}.mounts.$$"
  if try_namespace slave "${file}.mounts.$$"; then
    NAMESPACE=slave
  elif is_private_mount "${SANDBOX_ROOT}" && try_namespace unchanged "${file}.mounts.$$"; then
    NAMESPACE=unchanged
  else
    NAMESPACE=none
    notice 'mount namespaces cannot be used here: instances see the files of the host that any user sees'
  fi
  rm -f -- "${file}.mounts.$$"
  CGROUP_VERSION=$(detect_cgroup_version)
  if [[ ${CGROUP_VERSION} == none ]]; then
    notice "${CGROUP_MOUNT} cannot be used here: memory is limited for each process, not for an instance as a whole"
  fi
  printf '%s %s %s\n' "${NAMESPACE}" "${CGROUP_VERSION}" "${boot}" >"${file}.$$"
  mv -f -- "${file}.$$" "${file}"
}

# try_namespace PROPAGATION MOUNTS: whether a process in the sandbox finds what it needs, and nothing of the host's processes.
try_namespace() {
  unshare --mount --ipc --propagation "$1" -- bash "${SCRIPTS}/lib/enter-sandbox" "$2" "${SANDBOX_ROOT}" \
    setpriv --reuid="${IMAGE_UID_BASE}" --regid="${IMAGE_UID_BASE}" "${NO_PRIVILEGES[@]}" -- \
    test -w /dev/null -a -x /usr/bin/env -a -e /proc/self/exe -a ! -e /proc/1 >/dev/null 2>&1
}

# is_private_mount DIRECTORY: whether mounts made below it in another namespace stay there. In a plain chroot, whose root is no
# mount point, propagation cannot be set, and the mount is found only in the table of a process outside; its id is unique.
is_private_mount() {
  local name value id='' line
  while read -r name value; do
    if [[ ${name} == mnt_id: ]]; then id=${value}; fi
  done </proc/self/fdinfo/8
  while read -r line; do
    if [[ ${line} == "${id} "* ]]; then
      [[ ${line%% - *} != *' shared:'* ]]
      return
    fi
  done </proc/1/mountinfo
  return 1
} 8<"$1"

# detect_cgroup_version: with a trial, since a container may show hierarchies that it must not change.
detect_cgroup_version() {
  local version dirs=()
  for version in 2 1; do
    if enable_controllers "${version}" 2>/dev/null; then
      CGROUP_VERSION=${version}
      list_cgroups "trial-$$"
      if mkdir -- "${dirs[@]}" 2>/dev/null; then
        if [[ -w ${dirs[0]}/memory.max || -w ${dirs[0]}/memory.limit_in_bytes ]] && [[ -w ${dirs[-1]}/pids.max ]]; then
          rmdir -- "${dirs[@]}"
          printf '%s\n' "${version}"
          return 0
        fi
        rmdir -- "${dirs[@]}"
      fi
    fi
  done
  printf 'none\n'
}

# enable_controllers VERSION: from the top down; no process may be in the inner groups (cgroups(7), "no internal processes").
enable_controllers() {
  local path=${CGROUP_MOUNT} part parts
  if [[ $1 -eq 1 ]]; then
    [[ -f ${path}/memory/memory.limit_in_bytes && -f ${path}/pids/cgroup.procs ]] || return 1
    mkdir -p -- "${path}/memory/${CGROUP}" "${path}/pids/${CGROUP}"
    return
  fi
  [[ -f ${path}/cgroup.controllers ]] || return 1
  IFS=/ read -ra parts <<<"${CGROUP}"
  printf '+memory +pids' >"${path}/cgroup.subtree_control" || return 1
  for part in "${parts[@]}"; do
    path+=/${part}
    mkdir -p -- "${path}" || return 1
    printf '+memory +pids' >"${path}/cgroup.subtree_control" || return 1
  done
}

# has_controllers: of version 2, whether groups below ours get limits: not so where ours went (with the container it was in, say), or
# CGROUP is another one now. mkdir(1) would make it anew, and there would be nothing to write a limit to.
has_controllers() {
  local controllers=''
  if [[ ${CGROUP_VERSION} != 2 ]]; then return 0; fi
  { read -r controllers <"${CGROUP_MOUNT}/${CGROUP}/cgroup.subtree_control"; } 2>/dev/null || return 1
  [[ " ${controllers} " == *' memory '* && " ${controllers} " == *' pids '* ]]
}

# list_cgroups NAME: sets dirs to the directories of one group, that of the memory first and that of the processes last.
list_cgroups() {
  case "${CGROUP_VERSION}" in
    2) dirs=("${CGROUP_MOUNT}/${CGROUP}/$1") ;;
    1) dirs=("${CGROUP_MOUNT}/memory/${CGROUP}/$1" "${CGROUP_MOUNT}/pids/${CGROUP}/$1") ;;
    *) dirs=() ;;
  esac
}

# make_cgroup UID MEMORY TASKS: an empty group with these limits, swap included. Out of memory, the kernel ends a process of
# this group and no other.
make_cgroup() {
  local memory=$2 tasks=$3 dirs file
  list_cgroups "$1"
  if [[ ${#dirs[@]} -eq 0 ]]; then return 0; fi
  mkdir -p -- "${dirs[@]}"
  printf '%s' "${tasks}" >"${dirs[-1]}/pids.max"
  case "${CGROUP_VERSION}" in
    2)
      printf '%s' "${memory}" >"${dirs[0]}/memory.max"
      file=${dirs[0]}/memory.swap.max
      if [[ -w ${file} ]]; then printf 0 >"${file}"; fi
      ;;
    *)
      # The sum of memory and swap may never be below memory, so a group that exists is set in two rounds.
      file=${dirs[0]}/memory.memsw.limit_in_bytes
      if [[ -w ${file} ]]; then printf -- -1 >"${file}"; fi
      printf '%s' "${memory}" >"${dirs[0]}/memory.limit_in_bytes"
      if [[ -w ${file} ]]; then printf '%s' "${memory}" >"${file}"; fi
      ;;
  esac
}

# confine UID MEMORY TASKS: puts the process that calls it, a subshell about to become another program, under the limits.
confine() {
  limit_process "$2" "$3"
  join_cgroup "$1" "${BASHPID}"
}

# limit_process MEMORY TASKS: the limits that a process sets for itself; where there is no control group, all that there are.
limit_process() {
  local memory=$1 tasks=$2 unit=1024
  # A dump would hold rows.
  ulimit -c 0
  if [[ ${CGROUP_VERSION} != none ]]; then return 0; fi
  if [[ ${memory} == *G ]]; then unit=1048576; fi
  ulimit -u "${tasks}" -v "$((${memory%?} * unit))"
}

# join_cgroup UID PID: the kernel takes some twenty milliseconds for it and waits for most of them.
join_cgroup() {
  local dirs dir
  list_cgroups "$1"
  for dir in "${dirs[@]}"; do printf '%s' "$2" >"${dir}/cgroup.procs"; done
}

# has_cgroup UID: whether the group exists, in every hierarchy.
has_cgroup() {
  local dirs dir
  list_cgroups "$1"
  for dir in "${dirs[@]}"; do
    if [[ ! -d ${dir} ]]; then return 1; fi
  done
  [[ ${#dirs[@]} -gt 0 ]]
}

# kill_cgroup UID: every process of the group, of whatever uid: one that is about to drop its privileges too.
kill_cgroup() {
  local dirs pids=() pid
  list_cgroups "$1"
  if [[ ${#dirs[@]} -eq 0 || ! -d ${dirs[0]} ]]; then return 0; fi
  if [[ -w ${dirs[0]}/cgroup.kill ]]; then
    printf 1 >"${dirs[0]}/cgroup.kill"
    return 0
  fi
  # Without forks the list can only get shorter.
  if [[ -w ${dirs[-1]}/pids.max ]]; then printf 0 >"${dirs[-1]}/pids.max"; fi
  mapfile -t pids <"${dirs[0]}/cgroup.procs"
  for pid in "${pids[@]}"; do
    # A process of another PID namespace is shown as 0, which would be our own process group.
    if [[ ${pid} -gt 1 ]]; then kill -KILL -- "${pid}" 2>/dev/null || true; fi
  done
}

# remove_cgroup UID: a killed process leaves its group at the very end of its exit.
remove_cgroup() {
  local dirs dir deadline=$((SECONDS + 10)) left=()
  list_cgroups "$1"
  for dir in "${dirs[@]}"; do
    if [[ -d ${dir} ]]; then left+=("${dir}"); fi
  done
  if [[ ${#left[@]} -eq 0 ]]; then return 0; fi
  until rmdir -- "${left[@]}" 2>/dev/null; do
    dirs=("${left[@]}")
    left=()
    for dir in "${dirs[@]}"; do
      if [[ -d ${dir} ]]; then left+=("${dir}"); fi
    done
    if [[ ${#left[@]} -eq 0 ]]; then return 0; fi
    if [[ ${SECONDS} -ge ${deadline} ]]; then die "${EX_SOFTWARE}" "${left[*]} cannot be removed"; fi
    kill_cgroup "$1"
    tick
  done
}

# write_mounts FILE rw:PATH… ro:PATH…: the directory tree of a sandbox in the form of fstab(5), which one mount(8) makes in one
# go. Paths are the same inside and outside. /dev/shm and /var/tmp are the one private /tmp, so that one limit bounds them.
write_mounts() {
  local file=$1 root=${SANDBOX_ROOT} entry safe='bind,nosuid,nodev,X-mount.mkdir'
  shift
  {
    printf 'tmpfs %s tmpfs mode=0755,size=64k,nosuid,nodev,noexec\n' "${root}"
    for entry in /usr /etc /bin /sbin /lib /lib64; do
      if [[ -d ${entry} ]]; then printf '%s %s%s none %s,ro\n' "${entry}" "${root}" "${entry}" "${safe}"; fi
    done
    printf '/dev %s/dev none bind,ro,nosuid,noexec,X-mount.mkdir\n' "${root}"
    # Programs find libraries beside themselves by /proc/self/exe (ld.so(8), $ORIGIN); other users' processes are not in there.
    printf 'proc %s/proc proc ro,hidepid=2,subset=pid,nosuid,nodev,noexec,X-mount.mkdir\n' "${root}"
    printf 'tmpfs %s/tmp tmpfs mode=1777,size=%s,nosuid,nodev,noexec,X-mount.mkdir\n' "${root}" "${SANDBOX_TMP_MAX}"
    printf '%s/tmp %s/var/tmp none %s,noexec\n' "${root}" "${root}" "${safe}"
    printf '%s/tmp %s/dev/shm none %s,noexec\n' "${root}" "${root}" "${safe}"
    printf '%s %s%s none %s,ro\n' "${POSTGRES_ROOT}" "${root}" "${POSTGRES_ROOT}" "${safe}"
    for entry in "$@"; do
      printf '%s %s%s none %s,noexec,%s\n' "${entry#*:}" "${root}" "${entry#*:}" "${safe}" "${entry%%:*}"
    done
  } >"${file}"
}

# become UID MOUNTS NAMESPACE-OPTIONS… -- COMMAND…: replaces this process by the command, as the uid without any privilege, in a
# sandbox of its own where there is one.
become() {
  local uid=$1 mounts=$2 namespaces=() drop
  shift 2
  while [[ $1 != -- ]]; do
    namespaces+=("$1")
    shift
  done
  shift
  drop=(setpriv --reuid="${uid}" --regid="${uid}" "${NO_PRIVILEGES[@]}" --)
  if [[ ${NAMESPACE} != none ]]; then
    exec unshare --mount --ipc --propagation "${NAMESPACE}" "${namespaces[@]}" -- \
      bash "${SCRIPTS}/lib/enter-sandbox" "${mounts}" "${SANDBOX_ROOT}" "${drop[@]}" "$@"
  fi
  if [[ ${#namespaces[@]} -gt 0 ]]; then exec unshare "${namespaces[@]}" -- "${drop[@]}" "$@"; fi
  exec "${drop[@]}" "$@"
}

# remove_traces UID: what its processes may have left outside of their own directories: nothing, where they had a /tmp and an IPC
# namespace of their own. Files are removed as the uid itself.
remove_traces() {
  local uid=$1 kind option column entry fields
  if [[ ${NAMESPACE} != none ]]; then return 0; fi
  as_uid "${uid}" find "${SHARED_FOLDERS[@]}" -xdev -depth -user "${uid}" -delete </dev/null >/dev/null 2>&1 || true
  # proc_sysvipc(5): shm and msg have the uid in the eighth column, sem in the fifth.
  while read -r kind option column; do
    while IFS= read -r entry; do
      read -ra fields <<<"${entry}"
      if [[ ${fields[column]} == "${uid}" ]]; then ipcrm "${option}" "${fields[1]}"; fi
    done <"/proc/sysvipc/${kind}"
  done <<<$'shm -m 7\nmsg -q 7\nsem -s 4'
}
