# shellcheck shell=bash
#
# Asks the queries of the verification script, none of which may return a row.

# run_verification FILE: the queries as the server sends them: line, database and text of each, ended by a NUL. They are
# asked one by one, and a row fails the image with the query's number, never with the row.
run_verification() {
  local file=$1 line database query number=0
  while IFS= read -r -d '' line && IFS= read -r -d '' database && IFS= read -r -d '' query; do
    number=$((number + 1))
    [[ ${line} =~ ^[1-9][0-9]{0,6}$ && -n ${database} && -n ${query} ]] || die "${EX_USAGE}" 'the queries on stdin are not readable'
    verify "query ${number} of the verification script, on line ${line}," "${database}" "${query}" </dev/null
  done <"${file}"
}

# verify NAME DATABASE QUERY: a cursor takes one query and nothing else: no second statement, nothing that ends the
# transaction; a transaction that is read-only cannot be made otherwise. The quotes around the query cannot be known to it.
verify() {
  local name=$1 database=$2 query=$3 file=${run}/verify.sql nonce code=0 state
  nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  cat >"${file}" <<EOF
BEGIN READ ONLY;
DO \$outer_${nonce}\$
DECLARE
  found record;
BEGIN
  FOR found IN EXECUTE \$inner_${nonce}\$
${query}
\$inner_${nonce}\$ LOOP
    RAISE EXCEPTION SQLSTATE 'DRPNR';
  END LOOP;
END
\$outer_${nonce}\$;
ROLLBACK;
\\warn draupnir-end ${nonce}
EOF
  chgrp "${uid}" "${file}"
  chmod 0640 "${file}"
  run_psql "$(session_options)" "${database}" -f "${file}" >/dev/null 2>"${errors}" || code=$?
  state=$(grep -m1 -oE 'ERROR:  [0-9A-Z]{5}' "${errors}" || true)
  state=${state#ERROR:  }
  if [[ ${state} == DRPNR ]]; then failure "${name} returned rows and must return none"; fi
  if [[ ${code} -ne 0 ]] || ! grep -qF -- "draupnir-end ${nonce}" "${errors}"; then
    failure "${name} failed in database ${database}${state:+ (SQLSTATE ${state})}"
  fi
}
