# shellcheck shell=bash
#
# The Postgres that prepares an image: in a sandbox of its own without any network interface, as the image's uid, with our
# configuration alone.

# image_paths ID: sets uid, upload, work, snapshot, run and log.
image_paths() {
  uid=$((IMAGE_UID_BASE + $1))
  upload=${UPLOADS}/$1
  work=${IMAGE_WORK}/$1
  snapshot=${SNAPSHOTS}/$1
  run=${RUN_PATH}/images/$1
  log=${run}/postgres.log
}

# offline COMMAND…: as the image's uid, with no network, in a sandbox and with a clean environment. While Postgres runs, it is
# the very sandbox of Postgres, so that the script finds the files its server wrote.
offline() {
  local environment=(env -i -C / PATH="${PATH}" LC_ALL=C HOME=/nonexistent PGCLIENTENCODING=UTF8)
  (
    close_private_fds
    confine "${uid}" "${IMAGE_MEMORY_MAX}" "${IMAGE_TASKS_MAX}"
    if [[ -n ${postmaster} && ${NAMESPACE} != none ]]; then
      # Without --wd it would come back to the directory where it was called, which is outside.
      exec nsenter --target "${postmaster}" --mount --ipc --net --root --wd -- \
        setpriv --reuid="${uid}" --regid="${uid}" "${NO_PRIVILEGES[@]}" -- "${environment[@]}" "$@"
    fi
    become "${uid}" "${run}/mounts" --net -- "${environment[@]}" "$@"
  )
}

# write_image_configuration: durability is off: the clone is thrown away unless every step succeeds, and the snapshot
# at the end writes all of it to disk (btrfs-subvolume(8)). Settings that recovery compares with those of the source
# are high enough for any source. Only LOG and above is logged: an ERROR line could quote a row.
write_image_configuration() {
  install -d -m 0711 -- "${run}"
  install -d -m 0700 -o "${uid}" -g "${uid}" -- "${run}/socket"
  cat >"${run}/postgresql.conf" <<EOF
cluster_name = 'draupnir-image-${work##*/}'
listen_addresses = ''
unix_socket_directories = '${run}/socket'
unix_socket_permissions = 0700
hba_file = '${run}/pg_hba.conf'
ident_file = '${run}/pg_ident.conf'
max_connections = 20
shared_buffers = 256MB
maintenance_work_mem = 256MB
max_prepared_transactions = 1000
max_locks_per_transaction = 1024
max_logical_replication_workers = 0
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
wal_recycle = off
wal_init_zero = off
fsync = off
full_page_writes = off
autovacuum = off
restart_after_crash = off
lc_messages = 'C'
log_timezone = 'UTC'
log_min_messages = log
log_min_error_statement = panic
log_checkpoints = off
EOF
  # The socket's directory lets in the image's uid alone; this uid is used for nothing else.
  printf 'local all all trust\n' >"${run}/pg_hba.conf"
  : >"${run}/pg_ident.conf"
  : >"${log}"
  chgrp "${uid}" "${run}"/*.conf
  chmod 0640 "${run}"/*.conf
}

# failure MESSAGE: the one clear reason for the caller, on one line whatever names it quotes; exit 65. Of an upload that is good
# nobody may say that it is damaged because there was no room for it: exit 74.
failure() {
  local message=$*
  if is_full "${log}" "${run}/errors" "${run}/unpack.log"; then die "${EX_IOERR}" "no space left: ${message}"; fi
  printf 'failure %s\n' "${message//[[:cntrl:]]/?}"
  exit "${EX_DATAERR}"
}

# postgres_failure WHAT: with the reason from Postgres's log. Start-up messages name files and settings, never rows.
postgres_failure() {
  local what=$1 reason
  reason=$(sed -nE 's/^.*\] (FATAL|PANIC): +//p' "${log}" | tail -n 1 | cut -c 1-300)
  failure "${what}${reason:+: ${reason}}"
}

# create_admin: makes superuser draupnir-admin. Most clusters have a superuser postgres that can log in; where it is called
# differently or locked out, single-user mode needs no name at all.
create_admin() {
  if sql template1 -U postgres -f - <"${SCRIPTS}/sql/admin.sql" >/dev/null 2>"${run}/errors"; then return 0; fi
  stop_image_postgres
  # Single-user mode insists on a name for its uid, and no host has one for ours; nss_wrapper(1) lends it one.
  printf 'image:x:%s:%s::/nonexistent:/usr/sbin/nologin\n' "${uid}" "${uid}" >"${run}/passwd"
  printf 'image:x:%s:\n' "${uid}" >"${run}/group"
  chmod 0644 "${run}/passwd" "${run}/group"
  offline LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD="${run}/passwd" NSS_WRAPPER_GROUP="${run}/group" \
    "${bin}/postgres" --single -j -D "${work}" -c "config_file=${run}/postgresql.conf" template1 \
    <"${SCRIPTS}/sql/admin.sql" >/dev/null 2>>"${log}" \
    || postgres_failure "no superuser of the backup can be used"
  start_postgres
  sql template1 -c 'SELECT 1' >/dev/null 2>&1 || failure 'no superuser of the backup can be used'
}

# start_postgres: sets postmaster; returns when it takes connections.
start_postgres() {
  : >"${log}"
  local line='' ready=''
  (
    close_private_fds
    confine "${uid}" "${IMAGE_MEMORY_MAX}" "${IMAGE_TASKS_MAX}"
    become "${uid}" "${run}/mounts" --net -- env -i -C / PATH="${PATH}" LC_ALL=C \
      "${bin}/postgres" -D "${work}" -c "config_file=${run}/postgresql.conf"
  ) </dev/null >>"${log}" 2>&1 &
  postmaster=$!
  exec 7<"${log}"
  while [[ -z ${ready} ]]; do
    while IFS= read -r -u 7 line; do
      if [[ ${line} == *'database system is ready to accept connections'* ]]; then ready=1; fi
    done
    if [[ -z ${ready} ]]; then
      kill -0 -- "${postmaster}" 2>/dev/null || postgres_failure "Postgres ${major} cannot recover the backup"
      tick
    fi
  done
  exec 7<&-
}

# stop_image_postgres: a clean shutdown, checkpoint included, or failure.
stop_image_postgres() {
  kill -s INT -- "${postmaster}"
  wait "${postmaster}" || postgres_failure "Postgres ${major} did not shut down cleanly"
  postmaster=''
}

# session_options: what roles and databases of the source may have set for their sessions must not stop the preparation;
# options of a connection come before those (PostgreSQL manual, 20.1.3).
session_options() {
  local name options='-c client_min_messages=warning -c lc_messages=C -c role=none -c session_preload_libraries= -c local_preload_libraries='
  for name in default_transaction_read_only statement_timeout lock_timeout idle_in_transaction_session_timeout \
    zero_damaged_pages ignore_checksum_failure session_replication_role; do
    case "${name}" in
      *_timeout) options+=" -c ${name}=0" ;;
      session_replication_role) options+=" -c ${name}=origin" ;;
      *) options+=" -c ${name}=off" ;;
    esac
  done
  if [[ ${major} -ge 14 ]]; then options+=' -c idle_session_timeout=0'; fi
  # Triggers that fire when somebody connects would come before us.
  if [[ ${major} -ge 17 ]]; then options+=' -c transaction_timeout=0 -c event_triggers=off'; fi
  printf '%s' "${options}"
}

# What our own statements need besides: the functions and operators they name are those of Postgres, and a lock that is
# never given up is an error.
readonly OWN_OPTIONS=' -c search_path=pg_catalog -c lock_timeout=60s'

# sql DATABASE PSQL-ARGUMENTS…: our own statements, as superuser draupnir-admin.
sql() { run_psql "$(session_options)${OWN_OPTIONS}" "$@"; }

# run_psql OPTIONS DATABASE PSQL-ARGUMENTS…: errors show their code and never their text, which could quote a row
# (VERBOSITY sqlstate).
run_psql() {
  local options=$1 database=$2
  shift 2
  offline PGDATABASE="${database}" PGHOST="${run}/socket" PGUSER=draupnir-admin PGAPPNAME=draupnir PGOPTIONS="${options}" \
    psql -X -q --no-password -v ON_ERROR_STOP=1 -v VERBOSITY=sqlstate "$@"
}

# sql_step STEP DATABASE FILE…: our own SQL files, in one session.
sql_step() {
  local what=$1 database=$2
  shift 2
  # shellcheck disable=SC2312 # the files are ours
  if ! cat -- "${@/#/"${SCRIPTS}/sql/"}" | sql "${database}" -f - >/dev/null 2>"${run}/errors"; then
    step_failure "${what}" "${database}"
  fi
}

# own_path_step STEP DATABASE FILE PSQL-ARGUMENTS…: a file of ours that runs code of the source, which may rely on the
# search path that the source has set.
own_path_step() {
  local what=$1 database=$2 file=$3
  shift 3
  if ! run_psql "$(session_options)" "${database}" "$@" -f - <"${SCRIPTS}/sql/${file}" >/dev/null 2>"${run}/errors"; then
    step_failure "${what}" "${database}"
  fi
}

# step_failure STEP DATABASE: XX001 and XX002 are corrupted data and indexes (PostgreSQL manual, appendix A).
step_failure() {
  local what=$1 database=$2 code
  code=$(grep -m1 -oE 'ERROR:  [0-9A-Z]{5}' "${run}/errors" || true)
  code=${code#ERROR:  }
  if [[ ${code} == XX00[12] ]]; then failure "the backup is damaged: ${what} met unreadable data in database ${database}"; fi
  failure "${what} failed in database ${database}${code:+ (SQLSTATE ${code})}"
}

# check_damage DATABASE: fails when a table's file is cut short.
check_damage() {
  local database=$1 path
  path=$(sql "${database}" -A -t -f - <"${SCRIPTS}/sql/damage.sql" 2>"${run}/errors") || step_failure 'the check of the files' "${database}"
  [[ -z ${path} ]] || failure "the backup is damaged: ${path} is shorter than its table; take another backup"
}

# list_files FILE: writes the files of all databases, for the last clean-up.
list_files() {
  local file=$1 database
  for database in "${databases[@]}"; do
    sql "${database}" -A -t -f - <"${SCRIPTS}/sql/files.sql" 2>"${run}/errors" >>"${file}" \
      || step_failure 'the list of the files' "${database}"
  done
}

# list_databases: sets databases to all that can be connected to.
list_databases() {
  mapfile -d '' -t databases < <(
    sql template1 -A -t -0 -c "SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY datname <> 'postgres', datname"
  )
  [[ ${#databases[@]} -gt 0 ]] || failure 'the databases of the backup cannot be listed'
}
