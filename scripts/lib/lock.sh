# shellcheck shell=bash
#
# One writer per object, whatever the server thinks. The lock of an object is a file of the run directory; it holds the process
# ids and the name of the script that has the lock, and of what that script has made work for it in the background.

# lock NAME: NAME is image-ID, instance-ID or that of something there is one of. Waits for a run that is about to end; one that
# does not has been given up by the server, which never starts a second: it is ended, so that its object can be put in order.
# Sets LOCK_FILE, which whoever holds the lock may remove: a file that went while we waited for it locks nobody out, so
# the next one is taken.
lock() {
  LOCK_FILE=${RUN_PATH}/$1.lock
  while true; do
    exec 9<>"${LOCK_FILE}"
    if ! flock -w "${LOCK_WAIT}" 9; then
      end_holders "$1"
      end_nameless_holder "$1"
      flock -w "${LOCK_WAIT}" 9 || die "${EX_SOFTWARE}" "another operation on $1 is still running"
    fi
    if [[ /dev/fd/9 -ef ${LOCK_FILE} ]]; then break; fi
  done
  claim_lock "$1"
}

# try_lock NAME: the same for what may wait: nobody who is at work is disturbed.
try_lock() {
  LOCK_FILE=${RUN_PATH}/$1.lock
  exec 9<>"${LOCK_FILE}"
  if ! flock -n 9 || [[ ! /dev/fd/9 -ef ${LOCK_FILE} ]]; then
    die "${EX_SOFTWARE}" "another operation on $1 is running"
  fi
  claim_lock "$1"
}

# claim_lock NAME: we have the lock. A script that was killed may have left a worker, which would go on beside us.
claim_lock() {
  end_holders "$1"
  printf '%s %s\n' "$$" "${0##*/}" >"${LOCK_FILE}"
}

# note_worker: called by a part of the script that works in the background, before anything else. The lock stays with the script.
note_worker() {
  printf '%s %s\n' "${BASHPID}" "${0##*/}" >>"${LOCK_FILE}"
  exec 9>&-
}

# end_holders NAME: ends the scripts that the lock file names and all that they have started, and waits for their end.
end_holders() {
  local name=$1 holders=() holder pid script
  mapfile -t holders <"${LOCK_FILE}"
  for holder in "${holders[@]}"; do
    read -r pid script <<<"${holder}"
    if is_script "${pid}" "${script}" "${name}"; then end_script "${pid}"; fi
  done
}

# end_nameless_holder NAME: the same for one that has not come to write its name since it has the lock. The kernel tells who has it
# (proc_pid_fdinfo(5), "lock").
end_nameless_holder() {
  local name=$1 file pid words=()
  for file in $(grep -ls '^lock:.* FLOCK ' /proc/[1-9]*/fdinfo/9 || true); do
    pid=${file#/proc/} pid=${pid%%/*}
    if [[ /proc/${pid}/fd/9 -ef ${LOCK_FILE} ]] && mapfile -d '' -t words 2>/dev/null <"/proc/${pid}/cmdline"; then
      if is_script "${pid}" "${words[2]##*/}" "${name}"; then end_script "${pid}"; fi
    fi
  done
}

# is_script PID SCRIPT NAME: whether the process is that script at work on that object; a process id may have gone to another.
is_script() {
  local words=()
  [[ $1 =~ ^[1-9][0-9]*$ ]] || return 1
  mapfile -d '' -t words 2>/dev/null <"/proc/$1/cmdline" || return 1
  # The line of the kernel: interpreter, its option, script, arguments (execve(2), "Interpreter scripts").
  [[ ${words[2]-} == "${SCRIPTS}/$2" ]] || return 1
  # One that was started in advance was told its object later, and has its lock. Its workers would not: note_worker gives that up.
  [[ ${3} != *-* || ${words[3]-} == "${3##*-}" || (${words[3]-} == wait && /proc/$1/fd/9 -ef ${RUN_PATH}/$3.lock) ]]
}

# end_script PID: a script of ours and all that it has started. The sudo that runs it has stopped together with it, as it does
# for the sake of shells, and would not see its end (sudo(8), "Signal handling").
end_script() {
  local stat parent ended=()
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
  # proc_pid_stat(5): behind the name come the state and the parent.
  read -r _ parent _ <<<"${stat##*) }"
  kill_tree "$1"
  kill -CONT -- "${parent}" 2>/dev/null || true
  await_ended
}

# end_tree PID: a process and all that it has started.
end_tree() {
  local ended=()
  kill_tree "$1"
  await_ended
}

# await_ended: one inside a system call, such as that of a snapshot, ends only with it; what it makes must not come after us.
await_ended() {
  local pid
  for pid in "${ended[@]}"; do
    while is_alive "${pid}"; do tick; done
  done
}

# kill_tree PID: a process and all that it has started. Each is suspended first, so that it starts no more. Adds them to ended.
kill_tree() {
  local pid=$1 child
  kill -STOP -- "${pid}" 2>/dev/null || return 0
  for child in $(pgrep -P "${pid}" || true); do kill_tree "${child}"; done
  kill -KILL -- "${pid}" 2>/dev/null || true
  ended+=("${pid}")
}

# is_alive PID: a zombie that nobody has reaped yet is not.
is_alive() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  [[ ${stat##*) } != [ZX]* ]]
}
