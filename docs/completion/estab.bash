# bash completion for estab(1)
# shellcheck shell=bash
_estab() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]-}
  local bench='--cc --set --check --seed --jobs --json --help'
  local links='--link --address --route --set --pcap --ladder --busy-poll --no-drop --verbose'
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W 'lab serve connect ss why set bench --help --version' -- "$current")
    return
  fi
  case $previous in
    --pcap | --ladder | --control | -o | --output | --json | --plot | --golden | --write-golden)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --format)
      mapfile -t COMPREPLY < <(compgen -W 'text svg html json pcapng' -- "$current")
      return
      ;;
    --profile)
      mapfile -t COMPREPLY < <(compgen -W 'default linux rfc' -- "$current")
      return
      ;;
    --state)
      mapfile -t COMPREPLY < <(compgen -W 'LISTEN SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2
        CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT' -- "$current")
      return
      ;;
  esac
  local words
  case $verb in
    lab)
      words='--all --set --profile --seed --format --output --verdicts --help'
      [[ $current == -* ]] || words=$("${COMP_WORDS[0]}" lab 2>/dev/null | awk '/^  [a-z]/ { print $1 }')
      ;;
    serve) words="$links --http --echo --discard --chargen --control --grace --threads --help" ;;
    connect) words="$links --help" ;;
    ss) words='--control -l --listening -a --all --state --port -s --summary --counters --prometheus --json --help' ;;
    why) words='--control --help' ;;
    set) words='--control --help' ;;
    bench)
      case ${COMP_WORDS[2]-} in
        path)
          words="$bench --loss --rtt --rate --buffer --quick --plot --golden --write-golden"
          ;;
        sim) words='--first-seed --seeds --seed --jobs --trace --check --help' ;;
        fairness | incast) words="$bench --flows" ;;
        reorder) words="$bench --rtt" ;;
        tail) words="$bench --rtt --lost" ;;
        *) words='path fairness reorder tail incast sim --help' ;;
      esac
      ;;
    *) return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _estab estab
