#!/bin/bash -p
# shellcheck disable=SC1091,SC2154,SC2034 # the libraries of the installation set these, and use bin
#
# preparation.sh SCRIPTS start ID IMAGE | anonymise ID PATIENCE | verify ID | stop ID
#
# Single steps of draupnir-finalise-image, by its own functions and in its own sandbox. The Postgres of a preparation runs on
# a clone of ready image IMAGE from start to stop.
#   stdin   anonymise: the script. verify: the queries (lib/verify.sh)
#   stdout  «done», or «failure REASON» with exit code 65
# What a step leaves (programs, sessions, prepared transactions) is removed when it has been judged. Runs as root.
for library in common process image anonymise verify; do
  # shellcheck source=/dev/null
  source "$1/lib/${library}.sh"
done

start() {
  btrfs -q subvolume snapshot -- "${SNAPSHOTS}/$1" "${work}" >/dev/null
  chown -R -h -- "${uid}:${uid}" "${work}"
  read -r major <"${work}/PG_VERSION"
  bin=${POSTGRES_ROOT}/${major}/bin
  install -d -m 0711 -- "${run}"
  make_cgroup "${uid}" "${IMAGE_MEMORY_MAX}" "${IMAGE_TASKS_MAX}"
  write_mounts "${run}/mounts" "rw:${work}" "rw:${run}" "ro:${SCRIPTS}/lib"
  write_image_configuration
  start_postgres
  printf '%s\n' "${postmaster}" >"${run}/postmaster"
}

# clear_leftovers: the next step finds Postgres alone.
clear_leftovers() {
  local pid
  for pid in $(list_programs); do kill -KILL -- "${pid}"; done
  sql postgres -f - >/dev/null <<'EOF'
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid();
SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = current_database() \gexec
EOF
}

# judge FUNCTION ARGUMENTS…: a failure ends the subshell.
judge() {
  local code=0
  set +e
  (
    set -e
    "$@" </dev/null
    printf 'done\n'
  )
  code=$?
  set -e
  clear_leftovers
  exit "${code}"
}

main() {
  local command=$2 id=$3 postmaster='' major bin
  load_host_conf
  ensure_layout
  ensure_sandbox
  image_paths "${id}"
  if [[ ${command} == start ]]; then
    start "$4"
    return
  fi
  read -r postmaster <"${run}/postmaster"
  read -r major <"${work}/PG_VERSION"
  case "${command}" in
    anonymise)
      cat >"${run}/anonymise.sql"
      judge run_anonymisation "${run}/anonymise.sql" "$4"
      ;;
    verify)
      cat >"${run}/verify.queries"
      judge run_verification "${run}/verify.queries"
      ;;
    stop)
      kill_uid "${uid}"
      delete_subvolume "${work}"
      rm -rf --one-file-system -- "${run}"
      ;;
    *) die "${EX_USAGE}" "no command ${command}" ;;
  esac
}

main "$@"
