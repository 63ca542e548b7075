# shellcheck shell=bash
#
# Chains of ours in the filter table, in both families, kept equal to what is wanted. Rules are compared and written in the very
# form in which `iptables -S` prints them, so that nothing is written when nothing differs. Rules that are not ours stay as they
# are. Sourced by a script that runs as root through sudo.

# A rule of the parent that calls a chain for a range: ours, or one of another installation.
readonly RANGE_RULE='^-A [A-Z]+ (-m owner --uid-owner|-p tcp -m tcp --dport) ([0-9]+)[-:]([0-9]+) -j [^ ]+$'

# How long a command waits for the lock of others who change rules, in seconds (iptables(8), --wait).
readonly XTABLES_WAIT=5

# name_chains: sets WHITELIST_CHAIN, for who reaches the ports of instances, and EGRESS_CHAIN, for what
# instances reach. A name has at most 28 characters (iptables(8)).
name_chains() {
  : "${CHAIN_PREFIX:=DRAUPNIR}"
  [[ ${CHAIN_PREFIX} =~ ^[A-Z][A-Z0-9-]{0,17}$ ]] \
    || die "${EX_CONFIG}" 'host.conf: CHAIN_PREFIX must be 1 to 18 capital letters, digits and hyphens'
  # shellcheck disable=SC2034 # most scripts need only one of them
  readonly CHAIN_PREFIX WHITELIST_CHAIN=${CHAIN_PREFIX}-WHITELIST EGRESS_CHAIN=${CHAIN_PREFIX}-EGRESS
}

# list_families: iptables, and ip6tables unless the host has no IPv6. Without the programs there is nothing to do.
list_families() {
  local program families=(iptables)
  if [[ -e /proc/self/net/if_inet6 ]]; then families+=(ip6tables); fi
  for program in "${families[@]}"; do
    command -v "${program}" "${program}-restore" >/dev/null || die "${EX_UNAVAILABLE}" "${program} is not installed"
  done
  printf '%s\n' "${families[@]}"
}

# print_rules PROGRAM CHAIN: its rules in order; nothing when there is no such chain. Other read errors count as nothing as well:
# the write that follows reports them. Two errors are final: the lock is held (iptables exits with 4), and INPUT or OUTPUT
# holds rules that only nft(8) can express: such a chain would get our hook once more at every pass. Of a chain that does not exist
# iptables says the same.
print_rules() {
  local lines code=0
  lines=$("$1" -w "${XTABLES_WAIT}" -S "$2" 2>&1) || code=$?
  [[ ${code} -ne 4 ]] || die "${EX_UNAVAILABLE}" "$1 is locked by another program"
  if [[ ${code} -ne 0 ]]; then
    [[ ! $2 =~ ^(IN|OUT)PUT$ || ${lines} != *' is incompatible'* ]] \
      || die "${EX_UNAVAILABLE}" "$1 cannot read chain $2, which holds native nft rules: move these to a table of their own (nft list chain ${1/tables/} filter $2)"
    return 0
  fi
  # The first line is the chain itself.
  if [[ ${lines} == *$'\n'* ]]; then printf '%s\n' "${lines#*$'\n'}"; fi
}

# is_elsewhere RULE HOOKS: whether it is a hook for a range that meets none of ours, such as another
# installation's: no packet matches both.
is_elsewhere() {
  local hook match from to
  [[ $1 =~ ${RANGE_RULE} ]] || return 1
  match=${BASH_REMATCH[1]} from=${BASH_REMATCH[2]} to=${BASH_REMATCH[3]}
  while IFS= read -r hook; do
    [[ ${hook} =~ ${RANGE_RULE} && ${BASH_REMATCH[1]} == "${match}" ]] || return 1
    [[ ${BASH_REMATCH[3]} -lt ${from} || ${BASH_REMATCH[2]} -gt ${to} ]] || return 1
  done <<<"$2"
}

# list_outdated HOOKS RULES: rules that call the chain of a hook for uids from the same number on, up to
# another one: the hook of before UID_COUNT changed.
list_outdated() {
  local hook
  while IFS= read -r hook; do
    if [[ ${hook} != *' --uid-owner '* ]]; then continue; fi
    grep -xE -e "${hook%-* -j *}-[0-9]+ -j ${hook##* }" <<<"$2" | grep -vxF -e "${hook}" || true
  done <<<"$1"
}

# are_first HOOKS RULES: whether the rules begin with the hooks and hold none of them again. Only hooks of
# other installations may precede: two that each insist on the first place would change places for ever.
are_first() {
  local hooks=$1 rules=$2 rest
  while is_elsewhere "${rules%%$'\n'*}" "${hooks}"; do
    [[ ${rules} == *$'\n'* ]] || return 1
    rules=${rules#*$'\n'}
  done
  [[ ${rules}$'\n' == "${hooks}"$'\n'* ]] || return 1
  if [[ ${hooks} == *' --uid-owner '* && -n $(list_outdated "${hooks}" "${rules}") ]]; then return 1; fi
  rest=${rules:${#hooks}}
  ! grep -qxF -e "${hooks}" <<<"${rest}"
}

# print_transaction CHAIN PARENT HOOKS RULES PARENT_RULES: for iptables-restore. To name the chain makes or
# empties it. Hooks are deleted as often as they occur, outdated ones too, and inserted at the top.
print_transaction() {
  local chain=$1 parent=$2 hooks=$3 rules=$4 parent_rules=$5
  printf '*filter\n:%s - [0:0]\n' "${chain}"
  {
    grep -xF -e "${hooks}" <<<"${parent_rules}" || true
    list_outdated "${hooks}" "${parent_rules}"
  } | sed 's/^-A/-D/'
  tac <<<"${hooks}" | sed "s/^-A ${parent} /-I ${parent} 1 /"
  printf '%s\nCOMMIT\n' "${rules}"
}

# converge PROGRAM CHAIN PARENT HOOKS RULES: makes the chain hold these rules and the parent begin with the hooks, in one
# transaction. Prints «PROGRAM unchanged» or «PROGRAM changed». A second try for when somebody changed the parent in between.
converge() {
  local program=$1 chain=$2 parent=$3 hooks=$4 rules=$5 present parent_rules try reason=''
  for try in 1 2; do
    present=$(print_rules "${program}" "${chain}")
    parent_rules=$(print_rules "${program}" "${parent}")
    if [[ ${present} == "${rules}" ]] && are_first "${hooks}" "${parent_rules}"; then
      if [[ ${try} -eq 1 ]]; then printf '%s unchanged\n' "${program}"; else printf '%s changed\n' "${program}"; fi
      return 0
    fi
    if reason=$(print_transaction "${chain}" "${parent}" "${hooks}" "${rules}" "${parent_rules}" \
      | "${program}-restore" --noflush -w "${XTABLES_WAIT}" 2>&1); then
      printf '%s changed\n' "${program}"
      return 0
    fi
  done
  die "${EX_UNAVAILABLE}" "${program} cannot write chain ${chain}: ${reason}"
}

# remove_chain PROGRAM CHAIN PARENT: the chain, and the rules of the parent that call it, in one transaction. Where rules of others call it,
# it stays.
remove_chain() {
  local program=$1 chain=$2 parent=$3 hooks reason code=0
  "${program}" -w "${XTABLES_WAIT}" -S "${chain}" >/dev/null 2>&1 || code=$?
  # Only for the lock it exits with 4; otherwise there is no such chain.
  if [[ ${code} -ne 0 && ${code} -ne 4 ]]; then return 0; fi
  if ! hooks=$(print_rules "${program}" "${parent}" | sed -nE "s/^-A (.* -j ${chain})\$/-D \\1/p"); then
    notice "chain ${chain} of ${program} stays"
    return 0
  fi
  reason=$(printf '*filter\n%s\n-F %s\n-X %s\nCOMMIT\n' "${hooks}" "${chain}" "${chain}" \
    | "${program}-restore" --noflush -w "${XTABLES_WAIT}" 2>&1) || notice "chain ${chain} of ${program} stays: ${reason}"
}

# lock_firewall: one writer of ours at a time.
lock_firewall() {
  ensure_run_path
  lock firewall
}
