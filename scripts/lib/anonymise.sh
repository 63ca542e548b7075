# shellcheck shell=bash
#
# Runs the anonymisation script and trusts nothing but its proven success.

# run_anonymisation SCRIPT: the script is followed by a check that it ran to its very end, in this very session, and left
# no transaction open: an early \q, an unfinished COPY or a missing COMMIT would otherwise pass for success. DISCARD ALL is
# refused inside a transaction (SQLSTATE 25001); the nonce, which the script cannot know, is printed last.
run_anonymisation() {
  local script=$1 nonce code=0 line last
  nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  {
    cat -- "${script}"
    printf '\n;\n\\set ON_ERROR_STOP on\n\\o\nDISCARD ALL;\n\\warn draupnir-end %s\n' "${nonce}"
  } | sql postgres -f - >/dev/null 2>"${run}/errors" || code=$?
  # An error counts even when the script switched ON_ERROR_STOP off.
  line=$(grep -m1 -E '^psql:<stdin>:[0-9]+: (ERROR|FATAL|PANIC):' "${run}/errors" || true)
  if [[ ${line} =~ ^psql:\<stdin\>:([0-9]+):\ [A-Z]+:\ +([0-9A-Z]{5}) ]]; then
    anonymisation_failure "${script}" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  elif [[ -n ${line} ]]; then
    failure 'the anonymisation script failed'
  fi
  line=$(grep -m1 -oE '^psql:<stdin>:[0-9]+: error: ' "${run}/errors" || true)
  if [[ ${line} =~ :([0-9]+):\ error ]]; then
    last=$(wc -l <"${script}")
    # Beyond the script psql can only complain that it has not ended.
    if [[ ${BASH_REMATCH[1]} -gt $((last + 1)) ]]; then anonymisation_unfinished; fi
    failure "the anonymisation script failed at line ${BASH_REMATCH[1]}: psql could not carry out this line"
  fi
  [[ ${code} -eq 0 ]] || failure 'the anonymisation script failed: its session was cut'
  grep -qxE "(psql:<stdin>:[0-9]+: )?draupnir-end ${nonce}" "${run}/errors" || anonymisation_unfinished
}

anonymisation_unfinished() {
  failure 'the anonymisation script did not run to its end: look for \q, COPY data without \. or \if without \endif'
}

# anonymisation_failure SCRIPT LINE SQLSTATE: psql names the line on which the failing statement ends.
anonymisation_failure() {
  local script=$1 number=$2 state=$3 lines
  lines=$(wc -l <"${script}")
  if [[ ${number} -gt $((lines + 1)) && ${state} == 25001 ]]; then
    failure 'the anonymisation script leaves a transaction open: end it with COMMIT'
  fi
  if [[ ${number} -gt ${lines} ]]; then number=$((lines + 1)); fi
  failure "the anonymisation script failed in the statement that ends on line ${number} (SQLSTATE ${state})"
}
