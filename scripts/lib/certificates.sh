# shellcheck shell=bash
#
# An instance's certificates on disk: server.key, server.crt and ca.crt in its configuration directory.
#
#   <conf>/next       a complete set on its way into the places of the three; whoever finds it takes it there
#   <conf>/previous   the set that stood there before, for as long as it may have to come back

readonly PEM_LIMIT=16384
readonly CERTIFICATE_FILES=(server.key server.crt ca.crt)

# read_pem NAME LABEL: sets the variable to one PEM text of that kind from stdin, ended by a form feed. A text that is
# longer than the limit has no proper end.
read_pem() {
  local -n pem_target=$1
  local pattern=$'^-----BEGIN LABEL-----\n[A-Za-z0-9+/=\n]+\n-----END LABEL-----\n?$'
  IFS= read -r -d $'\f' -n "${PEM_LIMIT}" pem_target || die "${EX_NOINPUT}" "no $1 on stdin"
  [[ ${pem_target} =~ ${pattern//LABEL/$2} ]] || die "${EX_DATAERR}" "the $1 on stdin is not PEM"
}

# What stdin brings.
server_key=''
server_certificate=''
ca_certificate=''

# read_certificates: sets server_key, server_certificate and ca_certificate from stdin.
read_certificates() {
  read_pem server_key 'PRIVATE KEY'
  read_pem server_certificate CERTIFICATE
  read_pem ca_certificate CERTIFICATE
}

# write_certificates DIRECTORY: what was read, readable by the instance and written by root only. The directory hands down its
# group (make_configuration_folder).
write_certificates() {
  local directory=$1
  umask 027
  printf '%s' "${server_key}" >"${directory}/server.key"
  printf '%s' "${server_certificate}" >"${directory}/server.crt"
  printf '%s' "${ca_certificate}" >"${directory}/ca.crt"
  umask 077
}

# stage_swap: makes what was read the next set. The rename is the moment that counts: before it nothing has happened, after it
# the swap is finished by us or by whoever comes next.
stage_swap() {
  rm -rf --one-file-system -- "${conf}/next.new" "${conf}/previous.new" "${conf}/previous"
  mkdir -- "${conf}/next.new" "${conf}/previous.new"
  write_certificates "${conf}/next.new"
  cp -p -- "${CERTIFICATE_FILES[@]/#/${conf}/}" "${conf}/previous.new"
  mv -T -- "${conf}/previous.new" "${conf}/previous"
  mv -T -- "${conf}/next.new" "${conf}/next"
}

# revert_swap: brings the previous set back, in the same way.
revert_swap() {
  finish_swap
  if [[ ! -d ${conf}/previous ]]; then return 0; fi
  mv -T -- "${conf}/previous" "${conf}/next"
  finish_swap
}

# finish_swap: moves each file of the next set that has not been moved yet into its place.
finish_swap() {
  local file
  [[ -d ${conf}/next ]] || return 0
  for file in "${CERTIFICATE_FILES[@]}"; do
    if [[ -f ${conf}/next/${file} ]]; then mv -fT -- "${conf}/next/${file}" "${conf}/${file}"; fi
  done
  rmdir -- "${conf}/next"
}
