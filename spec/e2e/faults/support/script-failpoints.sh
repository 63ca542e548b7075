# shellcheck shell=bash
#
# The failpoints of the scripts, which the fault tests append to lib/common.sh of their installation: every command that does
# something is one. FAILPOINTS is the folder where the test says what is to happen.

declare -A FAILPOINTS_TRACED=()
# The builtins that do something to the world.
readonly FAILPOINT_BUILTINS=' exec kill printf read wait mapfile source '

# failpoint FILE LINE COMMAND: what is asked for at this point, once.
failpoint() {
  local point=$1:$2 word=${3%%[ $'\n']*} armed='' action='' kind
  # Loops come to the same one many times.
  if [[ -e ${FAILPOINTS}/tracing && -z ${FAILPOINTS_TRACED[${point}]-} ]]; then
    FAILPOINTS_TRACED[${point}]=1
    kind=$(type -t -- "${word}" || true)
    if [[ ${kind} == file || ${FAILPOINT_BUILTINS} == *" ${word} "* ]]; then
      printf '%s\n' "${point}" >>"${FAILPOINTS}/trace"
    fi
  fi
  if [[ -e ${FAILPOINTS}/armed ]]; then
    read -r armed action <"${FAILPOINTS}/armed" || true
    if [[ ${armed} == "${point}" ]]; then
      # Whoever takes it away has reached it; the test takes it away as well.
      mv -- "${FAILPOINTS}/armed" "${FAILPOINTS}/reached" 2>/dev/null || return 0
      case ${action} in
        kill) kill -KILL "$$" ;;
        kill-server) kill -KILL "$(<"${FAILPOINTS}/server.pid")" ;;
        fail) exit 1 ;;
        # Until the test lets it go on.
        hang) while [[ -e ${FAILPOINTS}/hanging ]]; do sleep 0.1; done ;;
        *) exit 99 ;;
      esac
    fi
  fi
}

set -o functrace
trap 'failpoint "${BASH_SOURCE[0]##*/}" "${LINENO}" "${BASH_COMMAND}"' DEBUG
