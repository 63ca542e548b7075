# shellcheck shell=bash
#
# The Postgres that prepares an image: in a sandbox of its own without any network interface, as the image's uid, with our
# configuration alone.

# image_paths ID: sets uid, upload, work, snapshot, run, log, and errors, where the psql at work writes its own.
image_paths() {
  set_uid "${IMAGE_UID_BASE}" "$1"
  upload=${UPLOADS}/$1
  work=${IMAGE_WORK}/$1
  snapshot=${SNAPSHOTS}/$1
  run=${RUN_PATH}/images/$1
  log=${run}/postgres.log
  errors=${run}/errors
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
        perl "${SCRIPTS}/lib/exec-filtered" "--${FILTER}" -- \
        setpriv --reuid="${uid}" --regid="${uid}" "${NO_PRIVILEGES[@]}" -- "${environment[@]}" "$@"
    fi
    become "${uid}" "${run}/mounts" --net -- "${environment[@]}" "$@"
  )
}

# size_buffers: MB for shared_buffers: a quarter of what a preparation may take, but of the host's memory an eighth. What the
# anonymisation has changed and the scrub writes anew is never written in between, as long as it is in there.
size_buffers() {
  local limit total size
  limit=$(in_kilobytes "${IMAGE_MEMORY_MAX}")
  # In kB as well (proc_meminfo(5)).
  read -r _ total _ </proc/meminfo
  size=$((limit / 4 < total / 8 ? limit / 4096 : total / 8192))
  # More of them would take longer to look through, which every table that is dropped needs.
  if [[ ${size} -gt 2048 ]]; then size=2048; fi
  if [[ ${size} -lt 32 ]]; then size=32; fi
  printf '%s\n' "${size}"
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
shared_buffers = $(size_buffers)MB
huge_pages = off
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
  if is_full "${log}" "${errors}" "${run}/unpack.log"; then die "${EX_IOERR}" "no space left: ${message}"; fi
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
  if sql template1 -U postgres -f - <"${SCRIPTS}/sql/admin.sql" >/dev/null 2>"${errors}"; then return 0; fi
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
    become "${uid}" "${run}/mounts" --net -- \
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

# run_own_plan FILE: the planned steps with our own statements.
run_own_plan() { run_plan "$(session_options)${OWN_OPTIONS}" "$@"; }

# run_source_plan FILE PSQL-ARGUMENTS…: the planned steps, which run code of the source: it may rely on the search path that the source has
# set.
run_source_plan() { run_plan "$(session_options)" "$@"; }

# run_psql OPTIONS DATABASE PSQL-ARGUMENTS…: errors show their code and never their text, which could quote a row
# (VERBOSITY sqlstate).
run_psql() {
  local options=$1 database=$2
  shift 2
  offline PGDATABASE="${database}" PGHOST="${run}/socket" PGUSER=draupnir-admin PGAPPNAME=draupnir PGOPTIONS="${options}" \
    psql -X -q --no-password -v ON_ERROR_STOP=1 -v VERBOSITY=sqlstate "$@"
}

# What run_plan is going to do: for each step what its failure is called, and its database; and the statements of all.
plan_names=()
plan_databases=()
plan_text=''

# plan NAME DATABASE FILE…: one more step: the texts of these files of ours. It goes on in the session of the step before when that has
# the same database.
plan() {
  local name=$1 database=$2 number=${#plan_names[@]} file
  shift 2
  plan_text+="\\warn draupnir-step ${number}"$'\n'
  if [[ ${number} -gt 0 && ${database} != "${plan_databases[-1]}" ]]; then
    plan_text+="\\connect -reuse-previous=on :plan_${number}"$'\n'
  fi
  # A file may go on after errors of its own.
  plan_text+=$'\\set ON_ERROR_STOP on\n'
  for file in "$@"; do plan_text+=$(<"${SCRIPTS}/sql/${file}")$'\n'; done
  plan_names+=("${name}")
  plan_databases+=("${database}")
}

# plan_everywhere NAME FILE…: the same in each database.
plan_everywhere() {
  local name=$1 database
  shift
  for database in "${databases[@]}"; do plan "${name}" "${database}" "$@"; done
}

# run_plan OPTIONS FILE PSQL-ARGUMENTS…: takes the planned steps, one after the other, by one psql: a process in the sandbox takes longer
# to come into being than most steps. What they print goes to the file. Fails as the step that failed.
run_plan() {
  local options=$1 file=$2 number value arguments=()
  shift 2
  for number in "${!plan_databases[@]}"; do
    # A name may hold anything: in a connection string (PostgreSQL manual, 34.1.1), in double quotes, which psql takes off.
    value=${plan_databases[number]//\\/\\\\}
    value="dbname='${value//\'/\\\'}'"
    arguments+=(-v "plan_${number}=\"${value//\"/\"\"}\"")
  done
  if ! run_psql "${options}" "${plan_databases[0]}" -A -t "${arguments[@]}" "$@" -f - <<<"${plan_text}" >"${file}" 2>"${errors}"; then
    number=$(sed -nE 's/^draupnir-step ([0-9]+)$/\1/p' "${errors}" | tail -n 1)
    step_failure "${plan_names[number]}" "${plan_databases[number]}"
  fi
  plan_names=() plan_databases=() plan_text=''
}

# step_failure STEP DATABASE: XX001 and XX002 are corrupted data and indexes (PostgreSQL manual, appendix A).
step_failure() {
  local what=$1 database=$2 code
  # The last one has ended it; those that do not matter come before.
  code=$(grep -oE 'ERROR:  [0-9A-Z]{5}' "${errors}" | tail -n 1 || true)
  code=${code#ERROR:  }
  if [[ ${code} == XX00[12] ]]; then failure "the backup is damaged: ${what} met unreadable data in database ${database}"; fi
  failure "${what} failed in database ${database}${code:+ (SQLSTATE ${code})}"
}

# check_damage FILE: fails when that names a file that is shorter than its table.
check_damage() {
  local path=''
  read -r path <"$1" || true
  [[ -z ${path} ]] || failure "the backup is damaged: ${path} is shorter than its table; take another backup"
}

# list_databases: sets databases to all that can be connected to, the largest first.
list_databases() {
  mapfile -d '' -t databases < <(
    sql template1 -A -t -0 -c "SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY pg_database_size(oid) DESC"
  )
  [[ ${#databases[@]} -gt 0 ]] || failure 'the databases of the backup cannot be listed'
}
