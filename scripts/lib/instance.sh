# shellcheck shell=bash
#
# One instance on disk and as a process: where its parts are, its configuration, start and removal.
#
#   <data>/instances/ID         the data directory, a writable snapshot, owned by the instance's uid
#   <data>/instance_config/ID   configuration, certificates and log, owned by root, outside the instance's reach
#   <run>/instances/ID          socket directory and process id, gone after a reboot

# instance_paths ID: sets uid, data, conf, run.
instance_paths() {
  uid=$((INSTANCE_UID_BASE + $1))
  data=${INSTANCES}/$1
  conf=${INSTANCE_CONFIG}/$1
  run=${RUN_PATH}/instances/$1
}

# write_hba FILE ADDRESS…: who may connect: root by socket, and over mutual TLS the one client of this instance.
write_hba() {
  local file=$1 address
  shift
  {
    printf 'local all all peer map=ctl\n'
    for address in "$@"; do printf 'hostssl all draupnir %s cert map=drp\n' "${address}"; done
  } >"${file}.new"
  chmod 0640 "${file}.new"
  chgrp "${uid}" "${file}.new"
  mv -f -- "${file}.new" "${file}"
}

# open_to_world: the server has proven who gets in and who does not.
open_to_world() {
  write_hba "${conf}/pg_hba.conf" 0.0.0.0/0 ::/0
  kill -HUP -- "${postmaster}"
}

# write_configuration ID PORT: everything Postgres reads but its data; readable by the instance, written by root only.
write_configuration() {
  local id=$1 port=$2
  umask 027
  cat >"${conf}/postgresql.conf" <<EOF
cluster_name = 'draupnir-instance-${id}'
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
ssl_min_protocol_version = 'TLSv1.2'
max_connections = 100
shared_buffers = 64MB
wal_level = minimal
max_wal_senders = 0
wal_recycle = off
wal_init_zero = off
lc_messages = 'C'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
EOF
  printf 'ctl root postgres\nctl root draupnir-admin\ndrp "Draupnir instance %s client" draupnir\n' "${id}" >"${conf}/pg_ident.conf"
  write_hba "${conf}/pg_hba.conf" 127.0.0.1/32 ::1/128
  chgrp "${uid}" "${conf}"/*
  chmod 0750 "${conf}"
  chgrp "${uid}" "${conf}"
  umask 077
}

# postgres_binary: of the major that wrote the data directory. PG_VERSION was checked when the image was finalised;
# the path is built from digits only, whatever the instance has done to the file since.
postgres_binary() {
  local major
  major=$(as_uid "${uid}" head -c 8 -- "${data}/PG_VERSION") || major=''
  [[ ${major} =~ ^[1-9][0-9]$ ]] || die "${EX_DATAERR}" "${data}/PG_VERSION is damaged"
  [[ -x ${POSTGRES_ROOT}/${major}/bin/postgres ]] || die "${EX_CONFIG}" "Postgres ${major} is not installed below ${POSTGRES_ROOT}"
  printf '%s\n' "${POSTGRES_ROOT}/${major}/bin/postgres"
}

# launch: starts the postmaster, sets postmaster to its process id and records it. It outlives this script.
launch() {
  local postgres
  postgres=$(postgres_binary)
  install -d -m 0700 -o "${uid}" -g "${uid}" -- "${run}"
  (
    close_private_fds
    exec env -i -C / PATH="${PATH}" LC_ALL=C setsid setpriv --reuid="${uid}" --regid="${uid}" "${NO_PRIVILEGES[@]}" -- \
      "${postgres}" -D "${data}" -c "config_file=${conf}/postgresql.conf" </dev/null >>"${conf}/postgres.log" 2>&1
  ) &
  postmaster=$!
  printf '%s\n' "${postmaster}" >"${RUN_PATH}/instances/${data##*/}.pid"
}

# recorded_pid: of the postmaster, or 0.
recorded_pid() {
  local file=${RUN_PATH}/instances/${data##*/}.pid pid=0
  if [[ -r ${file} ]]; then read -r pid <"${file}" || true; fi
  printf '%s\n' "${pid:-0}"
}

# remove_instance: process, data and configuration; done when they are gone already. Nobody needs the data any more,
# so the postmaster is asked for an immediate shutdown.
remove_instance() {
  stop_postgres "$(recorded_pid)" "${uid}" QUIT 5
  delete_subvolume "${data}"
  rm -rf --one-file-system -- "${conf}" "${run}"
  rm -f -- "${RUN_PATH}/instances/${data##*/}.pid"
}
