# shellcheck shell=bash
#
# Processes of one uid: every instance and every image under preparation has a numeric uid of its own.

# shellcheck source=lib/sandbox.sh
source "${SCRIPTS}/lib/sandbox.sh"

# What drops all privileges for good: no groups, no capabilities, no way to gain any (capabilities(7)).
readonly NO_PRIVILEGES=(--clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs)

# as_uid UID COMMAND…: runs the command as the uid, without any privilege.
as_uid() {
  local uid=$1
  shift
  setpriv --reuid="${uid}" --regid="${uid}" "${NO_PRIVILEGES[@]}" -- "$@"
}

# is_running PID UID: a live process of that uid; a zombie nobody has reaped yet does not count.
is_running() {
  local pid=$1 uid=$2 line state='' owner=''
  [[ ${pid} =~ ^[1-9][0-9]*$ && -r /proc/${pid}/status ]] || return 1
  while read -r line; do
    case "${line}" in
      State:*) state=${line#State:?} ;;
      Uid:*)
        owner=${line#Uid:?}
        owner=${owner%%[[:space:]]*}
        break
        ;;
      *) ;;
    esac
  done 2>/dev/null <"/proc/${pid}/status" || return 1
  [[ ${owner} == "${uid}" && ${state} != [ZX]* ]]
}

# wait_gone PID UID SECONDS: fails when the process is still there after that time.
wait_gone() {
  local pid=$1 uid=$2 deadline=$((SECONDS + $3))
  while is_running "${pid}" "${uid}"; do
    if [[ ${SECONDS} -ge ${deadline} ]]; then return 1; fi
    tick
  done
}

# list_pids UID: live processes of a uid.
list_pids() {
  local pid
  for pid in $(pgrep -U "$1" || true); do
    if is_running "${pid}" "$1"; then printf '%s\n' "${pid}"; fi
  done
}

# kill_uid UID: no process of that uid, no group and no trace of it is left afterwards. Nobody leaves a group, and one that can be removed
# is empty: where there is one, that is proof enough, and the host's processes need not be looked through. Without, the signal is
# sent as the uid itself, to all at once (kill(2), pid -1), so that a process that forks meanwhile cannot get away and nobody else can
# be hit.
kill_uid() {
  local uid=$1 deadline=$((SECONDS + 20)) living='' pid
  if has_cgroup "${uid}"; then kill_cgroup "${uid}"; else living=$(list_pids "${uid}"); fi
  while [[ -n ${living} ]]; do
    if [[ ${SECONDS} -ge ${deadline} ]]; then die "${EX_SOFTWARE}" "processes of uid ${uid} cannot be killed"; fi
    as_uid "${uid}" bash -c 'kill -KILL -- -1' </dev/null >/dev/null 2>&1 9>&- || true
    # They can do the same to the one that was to kill them, but not to us.
    for pid in ${living}; do
      if is_running "${pid}" "${uid}"; then kill -KILL -- "${pid}" 2>/dev/null || true; fi
    done
    tick
    living=$(list_pids "${uid}")
  done
  remove_cgroup "${uid}"
  remove_traces "${uid}"
}

# stop_postgres PID UID SIGNAL SECONDS: asks the postmaster with the signal (INT: fast, QUIT: immediate), then makes
# sure that nothing of the uid is left.
stop_postgres() {
  local pid=$1 uid=$2 signal=$3 seconds=$4
  if is_running "${pid}" "${uid}"; then
    kill -s "${signal}" -- "${pid}" 2>/dev/null || true
    wait_gone "${pid}" "${uid}" "${seconds}" || true
  fi
  kill_uid "${uid}"
}
