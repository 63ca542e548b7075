# shellcheck shell=bash
#
# An image under preparation.

# image_paths ID: sets uid, upload, work, snapshot, and run, a directory of this attempt.
# shellcheck disable=SC2034 # they are the caller's
image_paths() {
  set_uid "${IMAGE_UID_BASE}" "$1"
  upload=${UPLOADS}/$1
  work=${IMAGE_WORK}/$1
  snapshot=${SNAPSHOTS}/$1
  run=${RUN_PATH}/images/$1
}

# require_program: PROGRAM of host.conf is the executable that prepares images. Who can change it can read every upload.
require_program() {
  : "${PROGRAM:=/usr/bin/draupnir}"
  readonly PROGRAM
  [[ ${PROGRAM} =~ ^(/[A-Za-z0-9._@+-]+)+$ && -f ${PROGRAM} && -x ${PROGRAM} && $(stat -Lc '%u %A' -- "${PROGRAM}") =~ ^0\ .....-..-.$ ]] \
    || die "${EX_CONFIG}" "host.conf: PROGRAM=${PROGRAM} must be the executable draupnir, of root, and writable by root alone"
}

# failure MESSAGE: the one clear reason for the caller; exit 65.
failure() {
  printf 'failure %s\n' "$*"
  exit "${EX_DATAERR}"
}

# remove_work: removes what an attempt has left, also one that was killed.
remove_work() {
  kill_uid "${uid}"
  delete_subvolume "${work}"
  rm -rf --one-file-system -- "${run}"
}

# clone_upload: makes the throw-away clone. Its owner of before loses it first.
clone_upload() {
  btrfs -q subvolume snapshot -- "${upload}" "${work}" >/dev/null
  chown -- "${uid}:${uid}" "${work}"
  chmod 0700 -- "${work}"
  chown -R -h -- "${uid}:${uid}" "${work}"
}

# run_worker: becomes the worker, with the request on stdin.
run_worker() {
  # Its caller looks at the exit codes itself; outside of its limits it must not run.
  set -e
  close_private_fds
  confine "${uid}" "${IMAGE_MEMORY_MAX}" "${IMAGE_TASKS_MAX}"
  become "${uid}" "${run}/mounts" --net -- env -i -C / PATH="${PATH}" HOME=/nonexistent TMPDIR=/tmp \
    "${PROGRAM}" prepare "${work}" "${POSTGRES_ROOT}" "$(in_kilobytes "${IMAGE_MEMORY_MAX}")" "${MAX_UPLOAD_FILES}"
}

# relay: passes on the steps and the failure of the worker, and nothing else: code of the upload runs under the same uid. Fails unless
# the last word is that all was done.
relay() {
  local line='' last=''
  while IFS= read -r -n 4096 line; do
    last=${line}
    if [[ ${line} =~ ^(step [a-z]+ [0-9]+/[0-9]+|failure .+)$ ]]; then printf '%s\n' "${line//[[:cntrl:]]/?}"; fi
  done
  [[ ${last} == prepared ]]
}

# explain_limit CODE: a better reason than that of the worker, which sees only that something was ended. Nothing where it knows better.
explain_limit() {
  local code=$1 limit
  if [[ ${code} -eq "${EX_IOERR}" ]]; then return 0; fi
  limit=$(find_limit "${uid}")
  case "${limit}:${code}" in
    memory:*) failure "the preparation needs more memory than IMAGE_MEMORY_MAX=${IMAGE_MEMORY_MAX} of host.conf allows" ;;
    # A worker of a parallel query that cannot be started is no failure.
    tasks:"${EX_DATAERR}") ;;
    tasks:*) failure "the preparation needs more processes than IMAGE_TASKS_MAX=${IMAGE_TASKS_MAX} of host.conf allows" ;;
    *) ;;
  esac
}
