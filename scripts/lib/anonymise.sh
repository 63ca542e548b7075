# shellcheck shell=bash
#
# Runs the anonymisation script and trusts nothing but its proven success.

# run_anonymisation SCRIPT [PATIENCE]: the script is followed by a check that it ran to its very end, in this very session, and left
# no transaction open: an early \q, an unfinished COPY or a missing COMMIT would otherwise pass for success. DISCARD ALL is
# refused inside a transaction (SQLSTATE 25001); the nonce, which the script does not know, is printed last. It is a file and
# not stdin, since every program the script starts would inherit stdin and could read statements away. What the script has
# started may take PATIENCE seconds to end, ten by default.
run_anonymisation() {
  local script=$1 patience=${2-10} file=$1.psql nonce code=0 lines left
  nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  lines=$(wc -l <"${script}")
  cat -- "${script}" - >"${file}" <<EOF

;
\\set ON_ERROR_STOP on
\\o
DISCARD ALL;
\\warn draupnir-end ${nonce}
EOF
  chgrp "${uid}" "${file}"
  chmod 0640 "${file}"
  run_psql "$(session_options)" postgres -f "${file}" </dev/null >/dev/null 2>"${errors}" || code=$?
  check_sql_errors "${script}" "${file}" "${lines}"
  check_psql_errors "${file}" "${lines}"
  [[ ${code} -eq 0 ]] || failure 'the anonymisation script failed: its session was cut'
  grep -qF -- "draupnir-end ${nonce}" "${errors}" || anonymisation_unfinished
  check_programs_ended "${patience}"
  left=$(sql postgres -A -t -v "patience=${patience}" -f - <"${SCRIPTS}/sql/unfinished.sql" 2>"${errors}") \
    || failure 'the anonymisation script leaves database postgres so that nobody can connect to it'
  case "${left}" in
    '') ;;
    prepared) failure 'the anonymisation script leaves a prepared transaction: end it with COMMIT PREPARED' ;;
    *) failure 'the anonymisation script leaves a session of another client open: let it wait for what it starts' ;;
  esac
}

# check_programs_ended PATIENCE: a program that the script leaves running may be about to change rows, now or while they are
# scrubbed. Fails when one still runs after so many seconds.
check_programs_ended() {
  local deadline=$((SECONDS + $1)) programs
  while :; do
    programs=$(list_programs)
    if [[ -z ${programs} ]]; then return 0; fi
    [[ ${SECONDS} -lt ${deadline} ]] || failure 'the anonymisation script leaves a program running: let it wait for what it starts'
    tick
  done
}

# list_programs: processes of the uid that are neither Postgres nor a zombie.
list_programs() {
  local pid parent state
  while read -r pid parent state; do
    if [[ ${pid} != "${postmaster}" && ${parent} != "${postmaster}" && ${state} != [ZX]* ]]; then printf '%s\n' "${pid}"; fi
  done < <(ps -U "${uid}" -o pid=,ppid=,stat= || true)
}

# check_sql_errors SCRIPT FILE LINES: an error counts wherever it comes from, also when the script has switched ON_ERROR_STOP off
# or runs another file. psql names the line on which the failing statement ends.
check_sql_errors() {
  local script=$1 file=$2 lines=$3 line number text state=''
  line=$(grep -m1 -E '(ERROR|FATAL|PANIC):  ' "${errors}" || true)
  [[ -n ${line} ]] || return 0
  [[ ${line} =~ psql:"${file}":([0-9]+):\ (ERROR|FATAL|PANIC):\ +(.*)$ ]] \
    || failure 'the anonymisation script failed in a statement that is not its own text'
  number=${BASH_REMATCH[1]}
  text=${BASH_REMATCH[3]}
  # With another verbosity than ours the text of the message stands here, and it could quote a row.
  if [[ ${text} =~ ^[0-9A-Z]{5}$ ]] && ! grep -qi verbosity -- "${script}"; then state=${text}; fi
  if [[ ${number} -gt $((lines + 2)) && ${text} == *25001* ]]; then
    failure 'the anonymisation script leaves a transaction open: end it with COMMIT'
  fi
  if [[ ${number} -gt ${lines} ]]; then number=$((lines + 1)); fi
  failure "the anonymisation script failed in the statement that ends on line ${number}${state:+ (SQLSTATE ${state})}"
}

# check_psql_errors FILE LINES: what psql itself could not do, such as a meta-command.
check_psql_errors() {
  local file=$1 lines=$2 line
  line=$(grep -m1 -oE 'psql:.*:[0-9]+: error: |psql: error: ' "${errors}" || true)
  [[ -n ${line} ]] || return 0
  [[ ${line} =~ psql:"${file}":([0-9]+):\ error ]] \
    || failure 'the anonymisation script failed: psql could not carry out a line that is not its own text'
  # Beyond the script psql can only complain that it has not ended.
  if [[ ${BASH_REMATCH[1]} -gt $((lines + 1)) ]]; then anonymisation_unfinished; fi
  failure "the anonymisation script failed at line ${BASH_REMATCH[1]}: psql could not carry out this line"
}

anonymisation_unfinished() {
  failure 'the anonymisation script did not run to its end: look for \q, COPY data without \. or \if without \endif'
}
