# shellcheck shell=bash
#
# Instances made by Draupnir 5.3: the data directory holds its own configuration and certificates and belongs to a user that
# all of them share; pg_hba.conf and pg_ident.conf are immutable. They are served as they are until they are destroyed.

# is_adopted: whether the data directory belongs to neither root, nor the uid an instance of ours would have, nor an image of ours, as
# that of an instance does which was cut short. Sets owner.
is_adopted() {
  [[ -d ${data} && ! -e ${conf} ]] || return 1
  owner=$(stat -c %u -- "${data}")
  [[ ${owner} -ne 0 && ${owner} -ne "${uid}" ]] || return 1
  [[ ${owner} -lt ${IMAGE_UID_BASE} || ${owner} -ge $((IMAGE_UID_BASE + UID_COUNT)) ]]
}

# list_adopted_pids: live processes of the owner that work in this very data directory, the postmaster first.
list_adopted_pids() {
  local pid
  for pid in $(pgrep -U "${owner}" || true); do
    if is_running "${pid}" "${owner}" && [[ $(readlink -- "/proc/${pid}/cwd" || true) == "${data}" ]]; then
      printf '%s\n' "${pid}"
    fi
  done
}

# stop_adopted SIGNAL SECONDS: asks the postmaster, then kills what is left of it.
stop_adopted() {
  local signal=$1 seconds=$2 pid pids
  mapfile -t pids < <(list_adopted_pids)
  if [[ ${#pids[@]} -eq 0 ]]; then return 0; fi
  kill -s "${signal}" -- "${pids[0]}" 2>/dev/null || true
  wait_gone "${pids[0]}" "${owner}" "${seconds}" || true
  for pid in $(list_adopted_pids); do
    kill -KILL -- "${pid}" 2>/dev/null || true
    wait_gone "${pid}" "${owner}" 20 || die "${EX_SOFTWARE}" "process ${pid} cannot be killed"
  done
}

# drop_old_configuration: what a 5.3 image carries in its data directory must neither act nor resist a change of owner. The
# snapshot is ours alone by now: nobody else can enter it.
drop_old_configuration() {
  local file
  for file in pg_hba.conf pg_ident.conf; do
    if [[ -f ${data}/${file} && ! -L ${data}/${file} ]]; then chattr -i -- "${data}/${file}"; fi
  done
  rm -f -- "${data}"/*.conf "${data}"/*.crt "${data}"/*.key "${data}"/*.csr "${data}"/*.srl "${data}"/*.signal "${data}"/postmaster.*
}
