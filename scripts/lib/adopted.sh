# shellcheck shell=bash
#
# Instances made by Draupnir 5.3: the data directory holds its own configuration and certificates and belongs to a user that
# all of them share; pg_hba.conf and pg_ident.conf are immutable. They are served as they are until they are destroyed.

# shellcheck source=lib/legacy.sh
source "${SCRIPTS}/lib/legacy.sh"

# is_adopted: whether the data directory belongs to neither root, nor the uid an instance of ours would have, nor an image of ours, as
# that of an instance does which was cut short. Sets owner.
is_adopted() {
  [[ -d ${data} && ! -e ${conf} ]] || return 1
  owner=$(stat -c %u -- "${data}")
  [[ ${owner} -ne 0 && ${owner} -ne "${uid}" ]] || return 1
  [[ ${owner} -lt ${IMAGE_UID_BASE} || ${owner} -ge $((IMAGE_UID_BASE + UID_COUNT)) ]]
}

# list_adopted_pids: live processes of the owner that work in this very data directory, the postmaster first.
list_adopted_pids() { list_pids_in "${data}"; }

# stop_adopted SIGNAL SECONDS: asks the postmaster, then kills what is left of it.
stop_adopted() { stop_listed list_adopted_pids "$@"; }

# drop_old_configuration: what a 5.3 image carries in its data directory must neither act nor resist a change of owner. The
# snapshot is ours alone by now: nobody else can enter it.
drop_old_configuration() {
  clear_immutable "${data}"
  rm -f -- "${data}"/*.conf "${data}"/*.crt "${data}"/*.key "${data}"/*.csr "${data}"/*.srl "${data}"/*.signal "${data}"/postmaster.*
}
