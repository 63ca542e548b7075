#!/usr/bin/env bash
#
# recipe.sh IMAGE DATA CONF POSTGRES_BIN UID PORT
#
# What Draupnir 5.3 did for an instance: a snapshot; three RSA key pairs with certificates by openssl; pg_ctl start; five probes
# by psql; a restart. Run by the bench as root.
set -Eeuo pipefail
shopt -s inherit_errexit
umask 077

readonly image=$1 data=$2 conf=$3 bin=$4 uid=$5 port=$6
readonly certificates=${data}/certificates

as_uid() { setpriv --reuid="${uid}" --regid="${uid}" --clear-groups -- "$@"; }

# issue NAME SUBJECT: a key and a certificate signed by the CA.
issue() {
  local name=$1 subject=$2
  openssl req -new -newkey rsa:2048 -nodes -subj "${subject}" -keyout "${certificates}/${name}.key" -out "${certificates}/${name}.csr"
  openssl x509 -req -days 30 -in "${certificates}/${name}.csr" -CA "${certificates}/ca.crt" -CAkey "${certificates}/ca.key" \
    -CAcreateserial -out "${certificates}/${name}.crt"
}

probe() {
  PGHOST=localhost PGPORT=${port} PGUSER=draupnir PGDATABASE=postgres PGSSLMODE=verify-ca PGSSLROOTCERT=${certificates}/ca.crt \
    PGSSLCERT=${certificates}/client.crt PGSSLKEY=${certificates}/client.key psql -X -q -A -t -c 'SELECT 1'
}

main() {
  local _ options
  btrfs -q subvolume snapshot "${image}" "${data}"
  mkdir "${certificates}"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Draupnir CA' -keyout "${certificates}/ca.key" \
    -out "${certificates}/ca.crt"
  issue server /CN=localhost
  issue client '/CN=Draupnir instance client'
  chown -R "${uid}:${uid}" "${certificates}"
  options="-c config_file=${conf}/postgresql.conf -c port=${port} -c ident_file=${certificates}/pg_ident.conf"
  options+=" -c ssl_cert_file=${certificates}/server.crt -c ssl_key_file=${certificates}/server.key -c ssl_ca_file=${certificates}/ca.crt"
  printf 'drp "Draupnir instance client" draupnir\n' >"${certificates}/pg_ident.conf"
  chown "${uid}:${uid}" "${certificates}/pg_ident.conf"
  as_uid "${bin}/pg_ctl" -D "${data}" -l "${data}/log" -w -s -o "${options}" start
  # psql takes a key that belongs to somebody else only if nobody but root is that.
  chown root:root "${certificates}/client.key"
  for _ in 1 2 3 4 5; do probe; done
  as_uid "${bin}/pg_ctl" -D "${data}" -l "${data}/log" -w -s -m fast -o "${options}" restart
}

main >/dev/null 2>"${7-/dev/null}"
