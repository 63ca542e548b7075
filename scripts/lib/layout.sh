# shellcheck shell=bash
#
# The folders of the data and run directories, and who may write to them. Root works below directories that root alone can write:
# in others a link could lead anywhere. Sourced by a script that runs as root through sudo.

# was_checked: whether this was looked at since the host has booted, which RUN_PATH may survive: later only root can change it.
was_checked() {
  local boot='' checked='' path=''
  [[ -O ${RUN_PATH} && ! -L ${RUN_PATH} && -O ${RUN_PATH}/layout ]] || return 1
  read -r boot </proc/sys/kernel/random/boot_id
  read -r checked path <"${RUN_PATH}/layout" || return 1
  [[ ${checked} == "${boot}" && ${path} == "${DATA_PATH}" ]]
}

# print_foreign PATH…: those of the directories that belong to another user, or that others can write; a link counts as one.
print_foreign() { find "$@" -maxdepth 0 \( ! -uid 0 -o -perm /022 \) -print 2>/dev/null || true; }

# require_own PATH: refuses a directory that another user can write or replace. What is missing is made by root.
require_own() {
  local path paths=() foreign
  for path in "$1" "$(realpath -m -- "$1")"; do
    while [[ -n ${path} ]]; do
      if [[ ! -L ${path} ]]; then paths+=("${path}"); fi
      path=${path%/*}
    done
  done
  foreign=$(print_foreign / "${paths[@]}")
  [[ -z ${foreign} ]] || die "${EX_CONFIG}" "users other than root can write to ${foreign%%$'\n'*}: give it to root, and take write permission from others"
}

# ensure_run_path: all that scripts need that do without the volume.
ensure_run_path() {
  if ! was_checked; then require_own "${RUN_PATH}"; fi
  [[ -d ${RUN_PATH} ]] || install -d -m 0711 -- "${RUN_PATH}"
  # Where bash puts a long here-document.
  TMPDIR=${RUN_PATH}
}

# ensure_layout: makes the folders that are missing; quick when none is.
ensure_layout() {
  local folder
  ensure_run_path
  for folder in "${UPLOADS}" "${SNAPSHOTS}" "${IMAGE_WORK}" "${INSTANCES}" "${INSTANCE_CONFIG}" "${RUN_PATH}/images" "${RUN_PATH}/instances"; do
    if [[ ! -O ${folder} ]]; then
      check_layout
      return
    fi
  done
  if ! was_checked; then check_layout; fi
}

# check_layout: folders that Draupnir 5.3, or an administrator, has left to another user become root's; their entries keep their owners.
check_layout() {
  local folder boot
  require_own "${DATA_PATH%/*}"
  take_over "${DATA_PATH}"
  make_folder 0750 "$(id -g -- "${UPLOAD_USER}")" "${UPLOADS}"
  make_folder 0700 0 "${SNAPSHOTS}"
  for folder in "${IMAGE_WORK}" "${INSTANCES}" "${INSTANCE_CONFIG}" "${RUN_PATH}/images" "${RUN_PATH}/instances"; do
    make_folder 0711 0 "${folder}"
  done
  read -r boot </proc/sys/kernel/random/boot_id
  printf '%s %s\n' "${boot}" "${DATA_PATH}" >"${RUN_PATH}/layout.$$"
  mv -fT -- "${RUN_PATH}/layout.$$" "${RUN_PATH}/layout"
}

# make_folder MODE GROUP PATH: install -d also changes one that exists. Its own directory is root's: no link can take its place.
make_folder() {
  if [[ -e $3 || -L $3 ]]; then
    if [[ -z $(print_foreign "$3") ]]; then return 0; fi
    [[ ! -L $3 && -d $3 ]] || die "${EX_CONFIG}" "$3 is no directory"
    notice "users other than root could write to $3: it is root's now"
  fi
  install -d -m "$1" -o 0 -g "$2" -- "$3"
}

# take_over PATH: a directory whose own directory is root's.
take_over() {
  if [[ -z $(print_foreign "$1") ]]; then return 0; fi
  [[ ! -L $1 && -d $1 ]] || die "${EX_CONFIG}" "$1 is no directory"
  notice "users other than root could write to $1: it is root's now"
  chown -h -- 0 "$1"
  chmod go-w -- "$1"
}
