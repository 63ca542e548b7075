# shellcheck shell=bash
#
# Instances that an older version has started: without a filter of system calls, until their next start.

# list_unfiltered: ids of those whose postmaster runs.
list_unfiltered() {
  local file id pid path key value uid=''
  local -A ids=()
  for file in "${RUN_PATH}"/instances/*.pid; do
    id=${file##*/} id=${id%.pid} pid=''
    { read -r pid <"${file}"; } 2>/dev/null || continue
    if ! is_id "${id}" || [[ ! ${pid} =~ ^[1-9][0-9]*$ ]]; then continue; fi
    ids["/proc/${pid}/status"]=${id}
  done
  if [[ ${#ids[@]} -eq 0 ]]; then return 0; fi
  # proc_pid_status(5): Uid precedes Seccomp, and 0 is no filter. The process id may be another user's by now.
  while IFS=$':\t' read -r path key value _; do
    if [[ ${key} == Uid ]]; then
      uid=${value}
    elif [[ ${uid} == $((INSTANCE_UID_BASE + ids[${path}])) ]]; then
      printf '%s\n' "${ids[${path}]}"
    fi
  done < <(grep -HsE $'^(Uid:|Seccomp:\t0$)' -- "${!ids[@]}" || true)
}
