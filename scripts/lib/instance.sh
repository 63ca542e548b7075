# shellcheck shell=bash
#
# One instance on disk and as a process: where its parts are, its configuration, start and removal.
#
#   <data>/instances/ID         the data directory, a writable snapshot; its files are the instance's own in its sandbox
#   <data>/instance_config/ID   configuration, certificates and log, owned by root, outside the instance's reach
#   <run>/instances/ID          socket directory; beside it process id and table of mounts; gone after a reboot

# Postgres 15 moved statistics to shared memory (PostgreSQL manual, release notes of 15, "Monitoring").
readonly LAST_MAJOR_WITH_COLLECTOR=14

# instance_paths ID: sets uid, data, conf, run.
instance_paths() {
  set_uid "${INSTANCE_UID_BASE}" "$1"
  data=${INSTANCES}/$1
  conf=${INSTANCE_CONFIG}/$1
  run=${RUN_PATH}/instances/$1
}

# write_hba FILE ADDRESS…: who may connect: root by socket, and over mutual TLS the one client of this instance. Postgres reads it
# when it is told to, or starts, and stays with what it knows when the file is empty or cut short: one write(2) in place will do.
write_hba() {
  local file=$1 address rules=$'local all all peer map=ctl\n'
  shift
  for address in "$@"; do rules+="hostssl all draupnir ${address} cert map=drp"$'\n'; done
  umask 027
  printf '%s' "${rules}" >"${file}"
  umask 077
}

# open_to_world: the server has proven who gets in and who does not.
open_to_world() {
  write_hba "${conf}/pg_hba.conf" 0.0.0.0/0 ::/0
  kill -HUP -- "${postmaster}"
}

# make_configuration_folder: files in it come to the group of the instance by themselves (inode(7), S_ISGID).
make_configuration_folder() { install -d -m 2750 -g "${uid}" -- "${conf}"; }

# regroup_configuration: what Postgres reads has its old group after the installation got other numbers.
regroup_configuration() {
  if [[ $(stat -c %g -- "${conf}") -ne ${uid} ]]; then chgrp -R -h -- "${uid}" "${conf}"; fi
}

# write_configuration ID PORT SEGMENT: everything Postgres reads but its data; readable by the instance, written by root only. An idle instance
# keeps little memory: no larger buffers for WAL than a developer fills, and no process that waits for subscriptions.
write_configuration() {
  local id=$1 port=$2 segment_mb=$((${3:-0} / 1048576)) wal_size=''
  # The least that holds two segments each, where the defaults do not (PostgreSQL manual, 20.5).
  if [[ ${segment_mb} -gt 16 && ${segment_mb} -le 1024 ]]; then
    wal_size=$(printf "min_wal_size = %dMB\nmax_wal_size = %dMB" "$((2 * segment_mb))" "$((segment_mb > 512 ? 2 * segment_mb : 1024))")
  fi
  umask 027
  # By a builtin: every program that is started costs about a millisecond.
  printf '%s\n' "cluster_name = 'draupnir-instance-${id}'
listen_addresses = '*'
port = ${port}
unix_socket_directories = '${run}'
unix_socket_permissions = 0700
hba_file = '${conf}/pg_hba.conf'
ident_file = '${conf}/pg_ident.conf'
ssl = on
ssl_cert_file = '${conf}/server.crt'
ssl_key_file = '${conf}/server.key'
ssl_ca_file = '${conf}/ca.crt'
ssl_crl_file = ''
ssl_passphrase_command = ''
ssl_min_protocol_version = 'TLSv1.2'
max_connections = 100
shared_buffers = 64MB
huge_pages = off
wal_buffers = 512kB
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
wal_recycle = off
wal_init_zero = off
${wal_size}
lc_messages = 'C'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '" >"${conf}/postgresql.conf"
  printf 'ctl root postgres\nctl root draupnir-admin\ndrp "Draupnir instance %s client" draupnir\n' "${id}" >"${conf}/pg_ident.conf"
  umask 077
  write_hba "${conf}/pg_hba.conf" 127.0.0.1/32 ::1/128
}

# record_major SNAPSHOT: notes which major wrote the data directory, from where nobody has been able to change it. Later starts
# read nothing from the data directory, where the instance can put a link or a pipe in the place of any file.
record_major() {
  local file=$1/PG_VERSION major=''
  if [[ -f ${file} && ! -L ${file} ]]; then IFS= read -r -n 8 major <"${file}" || true; fi
  if [[ ! ${major} =~ ^[1-9][0-9]$ ]]; then
    [[ -d $1 ]] || die "${EX_NOINPUT}" "$1 is gone"
    die "${EX_DATAERR}" "${file} is damaged"
  fi
  printf '%s\n' "${major}" >"${conf}/major"
}

# Whose the files of an instance are on disk is in <conf>/owner, where that is not its own uid. To change the owner of a file writes
# it anew, and a snapshot of a thousand small files would be anything but small: they stay what they were in the image.

# read_owner: sets owner.
read_owner() {
  owner=${uid}
  if [[ -r ${conf}/owner ]]; then read -r owner <"${conf}/owner" || true; fi
  if [[ ! ${owner} =~ ^[1-9][0-9]*$ ]]; then owner=${uid}; fi
}

# print_facts SNAPSHOT: a line with the owner and size of its files' root, and one for each segment of its write-ahead log, whose size
# initdb has fixed. There may be none.
print_facts() { exec stat -c '%u:%g %s' -- "$1" "$1"/pg_wal/???????????????????????? 2>/dev/null; }

# keep_owner IMAGE OWNER: notes the owner of the files of the image if they need not be handed over. Those of an image of
# Draupnir 5.3 may have any.
keep_owner() {
  local own=$((IMAGE_UID_BASE + $1))
  if [[ ${MAPPING} == mapped && $2 == "${own}:${own}" ]]; then printf '%s\n' "${own}" >"${conf}/owner"; fi
}

# settle_owner: hands the files over unless they are its own, or noted and mapped. The directory itself comes last (chown(1) -R) and
# nobody but root can change its owner: what it says holds, whatever a power cut or somebody else has made of the note. None of the
# instance's processes may run.
settle_owner() {
  local owner found
  found=$(stat -c %u -- "${data}")
  if [[ ${found} -eq ${uid} ]]; then
    rm -f -- "${conf}/owner"
    return 0
  fi
  read_owner
  if [[ ${MAPPING} == mapped && ${owner} -eq ${found} ]]; then return 0; fi
  # Noted first: it may be cut short.
  printf '%s\n' "${uid}" >"${conf}/owner"
  make_writable "${data}"
  if ! hand_over; then
    printf 'failure %s\n' 'its files cannot be handed over to it: destroy it and create another'
    exit "${EX_DATAERR}"
  fi
  rm -f -- "${conf}/owner"
}

# hand_over: makes the files the instance's own.
hand_over() { chown -R -h -- "${uid}:${uid}" "${data}"; }

# read_settings: sets settings to our configuration as options of a command line. These alone cannot be overridden by
# postgresql.auto.conf, which lies in the data directory (PostgreSQL manual, 20.1.2 and 20.1.3). Lines are as write_configuration
# writes them; without those that matter, as of a file that a power cut has left empty, nothing is started.
read_settings() {
  local lines line value
  settings=(-c "config_file=${conf}/postgresql.conf")
  mapfile -t lines <"${conf}/postgresql.conf"
  for line in "${lines[@]}"; do
    if [[ ${line} != [a-z]*' = '* ]]; then continue; fi
    value=${line#* = }
    value=${value#\'}
    settings+=(-c "${line%% = *}=${value%\'}")
  done
  [[ " ${settings[*]}" == *' port='*' hba_file='*' ssl=on'* ]] || die "${EX_DATAERR}" "${conf}/postgresql.conf is damaged"
}

# begin_launch: starts what becomes the postmaster, under its limits, and sets postmaster to its process id. It waits for enter_sandbox
# and, in there, for launch, and ends when we do before that. To join a control group takes the kernel longer than a snapshot or a
# sandbox, and none of the three has to wait for another: this one begins first. It outlives this script.
begin_launch() {
  make_cgroup "${uid}" "${INSTANCE_MEMORY_MAX}" "${INSTANCE_TASKS_MAX}"
  # The reader of fd 6; process substitution sets $! as well.
  exec 6> >(
    trap - EXIT TERM INT HUP PIPE
    close_private_fds
    become_postmaster
  )
  postmaster=$!
  (
    close_launch
    close_private_fds
    join_cgroup "${uid}" "${postmaster}"
  ) &
  joining=$!
}

# become_postmaster
become_postmaster() {
  local major='' owner='' postgres settings options=()
  await_word enter
  exec >>"${conf}/postgres.log" 2>&1
  read_owner
  read_settings
  read -r major <"${conf}/major" || true
  postgres=${POSTGRES_ROOT}/${major}/bin/postgres
  limit_process "${INSTANCE_MEMORY_MAX}" "${INSTANCE_TASKS_MAX}"
  # Its statistics collector sends UDP to itself, and the firewall refuses UDP on the network of the host.
  if [[ ${major} -le ${LAST_MAJOR_WITH_COLLECTOR} ]]; then options=(--private-udp); fi
  become_instance "${options[@]}" -- setsid "${postgres}" -D "${data}" "${settings[@]}"
}

# become_instance [OPTIONS] -- COMMAND…: in the sandbox of the instance, once stdin says «launch»; with options of become.
become_instance() { become "${uid}" "${run}.mounts" --data "${data}" "${owner}" "$@"; }

# prepare_sandbox: what it consists of.
prepare_sandbox() {
  install -d -m 0700 -o "${uid}" -g "${uid}" -- "${run}"
  write_mounts "${run}.mounts" "ro:${conf}" "rw:${run}"
}

# enter_sandbox: once it is prepared, and configured what is to run in there.
enter_sandbox() {
  local major=''
  read -r major <"${conf}/major" || true
  [[ -x ${POSTGRES_ROOT}/${major}/bin/postgres ]] || die "${EX_CONFIG}" "Postgres ${major} is not installed below ${POSTGRES_ROOT}"
  : >>"${conf}/postgres.log"
  printf 'enter\n' >&6
}

# launch: once the data directory is there.
launch() {
  wait "${joining}" || die "${EX_SOFTWARE}" "the limits of ${conf##*/} cannot be set"
  printf '%s\n' "${postmaster}" >"${run}.pid"
  printf 'launch\n' >&6
  close_launch
}

# close_launch: whoever waits for a word of ours ends, and comes to nothing.
close_launch() { exec 6>&-; }

# await_ready: returns when Postgres says in its log that it takes connections; fails when it has ended, or takes longer than usual:
# whoever waits for more than a moment asks by a connection, which costs a starting Postgres a process.
await_ready() {
  local line='' code=1 deadline=$((SECONDS + 2))
  exec 7<"${conf}/postgres.log"
  while [[ ${SECONDS} -lt ${deadline} ]] && kill -0 -- "${postmaster}" 2>/dev/null; do
    while IFS= read -r -u 7 line; do
      if [[ ${line} == *'database system is ready to accept connections' ]]; then
        code=0
        break 2
      fi
    done
    tick
  done
  exec 7<&-
  return "${code}"
}

# await_uid: returns when what launch has started counts as running: before, it is still root's. One that has ended is the caller's to
# notice.
await_uid() {
  until is_running "${postmaster}" "${uid}" || ! kill -0 -- "${postmaster}" 2>/dev/null; do tick; done
}

# recorded_pid: of the postmaster, or 0.
recorded_pid() {
  local file=${run}.pid pid=0
  if [[ -r ${file} ]]; then read -r pid <"${file}" || true; fi
  printf '%s\n' "${pid:-0}"
}

# remove_instance: processes, data and configuration; done when they are gone already. Nobody needs the data any more, so nobody is
# asked.
remove_instance() {
  local room
  # While the rest is removed, since somebody waits for that.
  exec {room}< <(measure_room)
  kill_uid "${uid}"
  delete_subvolume "${data}"
  give_back <&"${room}"
  rm -rf --one-file-system -- "${conf}" "${run}" "${run}.pid" "${run}.mounts" "${LOCK_FILE}"
}
