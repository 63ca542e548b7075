# shellcheck shell=bash
#
# The limits of an instance or an image: a control group of its uid's own, outside of the server's (cgroups(7)), or resource limits
# where there can be none.

readonly CGROUP_MOUNT=/sys/fs/cgroup

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

# in_kilobytes MEMORY: an amount as load_limits takes it.
in_kilobytes() {
  local unit=1024
  if [[ $1 == *G ]]; then unit=1048576; fi
  printf '%s\n' "$((${1%?} * unit))"
}

# limit_process MEMORY TASKS: the limits that a process sets for itself; where there is no control group, all that there are.
limit_process() {
  local memory=$1 tasks=$2
  # A dump would hold rows.
  ulimit -c 0
  if [[ ${CGROUP_VERSION} != none ]]; then return 0; fi
  ulimit -u "${tasks}" -v "$(in_kilobytes "${memory}")"
}

# find_limit UID: which limit of its group the uid has met, memory or tasks; nothing where none, or where there is no group. Out of
# memory means that the kernel has ended a process for it (cgroups(7), "memory.events"; the kernel's cgroup-v1/memory.rst, "oom_kill").
find_limit() {
  local dirs file word count
  list_cgroups "$1"
  for file in "${dirs[@]/%//memory.events}" "${dirs[@]/%//memory.oom_control}" "${dirs[@]/%//pids.events}"; do
    if [[ ! -r ${file} ]]; then continue; fi
    while read -r word count; do
      case "${file##*/}:${word}" in
        memory.*:oom_kill) word=memory ;;
        pids.events:max) word=tasks ;;
        *) continue ;;
      esac
      if [[ ${count} -gt 0 ]]; then
        printf '%s\n' "${word}"
        return
      fi
    done <"${file}"
  done
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
