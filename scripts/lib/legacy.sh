# shellcheck shell=bash
#
# What Draupnir 5.3 has left: processes by the directory that they work in, immutable files, uploads.

# list_pids_in DIR: live processes of uid owner whose working directory is this one, under any name, the
# postmaster first. Process ids wrap around: a child may have a lower one than its parent.
list_pids_in() {
  local pid stat parent pids=() children=()
  for pid in $(pgrep -U "${owner}" || true); do
    if is_running "${pid}" "${owner}" && [[ /proc/${pid}/cwd -ef $1 ]]; then pids+=("${pid}"); fi
  done
  for pid in "${pids[@]}"; do
    read -r stat 2>/dev/null <"/proc/${pid}/stat" || continue
    # proc_pid_stat(5): behind the name come the state and the parent.
    read -r _ parent _ <<<"${stat##*) }"
    if [[ " ${pids[*]} " == *" ${parent} "* ]]; then children+=("${pid}"); else printf '%s\n' "${pid}"; fi
  done
  if [[ ${#children[@]} -gt 0 ]]; then printf '%s\n' "${children[@]}"; fi
}

# stop_listed LIST SIGNAL SECONDS: signals the first process that command LIST prints, the postmaster, waits,
# and kills what is left.
stop_listed() {
  local list=$1 signal=$2 seconds=$3 pid pids
  mapfile -t pids < <("${list}")
  if [[ ${#pids[@]} -eq 0 ]]; then return 0; fi
  kill -s "${signal}" -- "${pids[0]}" 2>/dev/null || true
  wait_gone "${pids[0]}" "${owner}" "${seconds}" || true
  for pid in $("${list}"); do
    kill -KILL -- "${pid}" 2>/dev/null || true
    wait_gone "${pid}" "${owner}" 20 || die "${EX_SOFTWARE}" "process ${pid} cannot be killed"
  done
}

# clear_immutable DIR: Draupnir 5.3 made these files immutable; chown fails on them. Only root may be able to
# enter the directory.
clear_immutable() {
  local file
  for file in pg_hba.conf pg_ident.conf; do
    if [[ -f $1/${file} && ! -L $1/${file} ]]; then chattr -i -- "$1/${file}"; fi
  done
}

# Draupnir 5.3 finalised an image in its upload, by a Postgres of another user on the network of the host.
# When a finalisation was cut short, that Postgres keeps running, with data that is not anonymised.

# list_raw_pids: its processes, the postmaster first; uses upload and owner. Other programs that work there
# are left out. After an upgrade of Postgres the kernel calls the program deleted.
list_raw_pids() {
  local pid program
  for pid in $(list_pids_in "${upload}"); do
    program=$(readlink -- "/proc/${pid}/exe") || continue
    if [[ ${program% (deleted)} == */bin/postgres ]]; then printf '%s\n' "${pid}"; fi
  done
}

# read_upload ID: sets upload and owner; fails where there is no upload.
read_upload() {
  upload=${UPLOADS}/$1
  is_subvolume "${upload}" || return 1
  owner=$(stat -c %u -- "${upload}")
}

# stop_raw_postgres ID: by a fast shutdown; the upload stays.
stop_raw_postgres() {
  local upload owner
  if read_upload "$1" && [[ ${owner} -ne 0 ]]; then stop_listed list_raw_pids INT 60; fi
}

# is_raw_upload ID: whether it is an upload of Draupnir 5.3 that is not finalised; ours belong to the upload
# user. Sets upload and owner.
is_raw_upload() {
  [[ ! -e ${SNAPSHOTS}/$1 ]] && read_upload "$1" && [[ ${owner} -ne $(id -u -- "${UPLOAD_USER}") ]]
}

# hand_over_upload ID: gives such an upload to the upload user. Root follows no link in it: the directory is
# closed first, and chown -h changes links themselves.
hand_over_upload() {
  local upload owner group
  if ! is_raw_upload "$1"; then return 0; fi
  if [[ ${owner} -ne 0 && -n $(list_raw_pids) ]]; then
    notice "a Postgres of Draupnir 5.3 runs on the raw upload of image $1: run draupnir doctor --fix"
    return 0
  fi
  group=$(id -g -- "${UPLOAD_USER}")
  chown -- 0:0 "${upload}"
  chmod -- 0700 "${upload}"
  clear_immutable "${upload}"
  chown -R -h -- "${UPLOAD_USER}:${group}" "${upload}"
  chmod -- 0775 "${upload}"
}
