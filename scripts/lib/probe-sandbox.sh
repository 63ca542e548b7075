# shellcheck shell=bash
#
# Tries out which parts of a sandbox this host allows. Sourced by sandbox.sh when that is not known yet.

# probe_sandbox: sets and stores NAMESPACE, CGROUP_VERSION, MAPPING and FILTER; a notice reports what is
# missing.
probe_sandbox() {
  local file=${SANDBOX_FOUND} boot=''
  type -P perl >/dev/null || die "${EX_CONFIG}" 'perl is not installed: install perl-base'
  read -r boot </proc/sys/kernel/random/boot_id
  install -d -m 0700 -- "${SANDBOX_ROOT}"
  FILTER=filter
  if ! try_filter; then
    FILTER=no-filter
    notice 'system calls cannot be filtered here (needs CONFIG_SECCOMP_FILTER on x86-64 or ARM64)'
  fi
  write_mounts "${file}.mounts.$$"
  if try_namespace slave "${file}.mounts.$$"; then
    NAMESPACE=slave
  elif is_private_mount "${SANDBOX_ROOT}" && try_namespace unchanged "${file}.mounts.$$"; then
    NAMESPACE=unchanged
  else
    NAMESPACE=none
    notice 'mount namespaces cannot be used here: instances see the files of the host that any user sees'
  fi
  MAPPING=same
  if [[ ${NAMESPACE} != none ]] && try_mapping "${file}.mounts.$$"; then
    MAPPING=mapped
  else
    notice 'owners of files cannot be mapped here (needs Linux 5.15 and user namespaces): instances need more space'
  fi
  rm -f -- "${file}.mounts.$$"
  CGROUP_VERSION=$(detect_cgroup_version)
  if [[ ${CGROUP_VERSION} == none ]]; then
    notice "${CGROUP_MOUNT} cannot be used here: memory is limited for each process, not for an instance as a whole"
  fi
  printf '%s %s %s %s %s\n' "${NAMESPACE}" "${CGROUP_VERSION}" "${MAPPING}" "${FILTER}" "${boot}" \
    >"${file}.$$"
  mv -f -- "${file}.$$" "${file}"
}

# try_filter: whether a process without privileges has the filter (proc_pid_status(5): 2 is
# SECCOMP_MODE_FILTER).
try_filter() {
  perl "${SCRIPTS}/lib/exec-filtered" --filter -- \
    setpriv --reuid="${IMAGE_UID_BASE}" --regid="${IMAGE_UID_BASE}" "${NO_PRIVILEGES[@]}" -- \
    grep -q '^Seccomp:.2$' /proc/self/status >/dev/null 2>&1
}

# try_namespace PROPAGATION MOUNTS: whether a process in the sandbox finds what it needs, and no process of
# the host.
try_namespace() {
  try_sandbox "$1" "$2" -- test -w /dev/null -a -x /usr/bin/env -a -e /proc/self/exe -a ! -e /proc/1
}

# try_mapping MOUNTS: whether a directory of root on the volume can appear as another user's. Needs Linux
# 5.15 and user namespaces, and fails in a chroot.
try_mapping() {
  try_sandbox "${NAMESPACE}" "$1" --data "${INSTANCES}" 0 "${IMAGE_UID_BASE}" -- \
    test -O "${INSTANCES}" -a -G "${INSTANCES}"
}

# try_sandbox PROPAGATION MOUNTS OPTIONS… -- COMMAND…: whether the command succeeds inside, as an
# unprivileged user.
try_sandbox() {
  local propagation=$1 mounts=$2 flags=()
  shift 2
  while [[ $1 != -- ]]; do
    flags+=("$1")
    shift
  done
  shift
  unshare --mount --ipc --propagation "${propagation}" -- \
    perl "${SCRIPTS}/lib/enter-sandbox" "${mounts}" "${SANDBOX_ROOT}" "--${FILTER}" "${flags[@]}" -- \
    setpriv --reuid="${IMAGE_UID_BASE}" --regid="${IMAGE_UID_BASE}" "${NO_PRIVILEGES[@]}" -- "$@" \
    <<<launch >/dev/null 2>&1
}

# is_private_mount DIRECTORY: whether mounts made below it in another namespace stay there. In a plain
# chroot, whose root is no mount point, propagation cannot be set, and only the table of a process outside
# has the mount, by its unique id.
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
