#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2154
# A running server is asked by its control socket: ss, why, set.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

# refused STATUS VERB ARGUMENTS...: one line on standard error, and that status.
refused() {
  local wanted=$1 status
  shift
  ask "$@" >/dev/null
  status=$?
  [ $status -eq "$wanted" ] && [ "$(wc -l <"$work/ask.err")" -eq 1 ] ||
    fail "estab $*: status $status instead of $wanted, or not one line: $(cat "$work/ask.err")"
}

is_gone() {
  [ ! -e "$1" ]
}

make_link
refused 1 ss
serve --echo 7 --discard 9 --control "$control"
[ "$(stat -c %a "$control")" = 600 ] || fail "the control socket is not for its owner alone"

exec 3<>/dev/tcp/192.0.2.2/7
echo hello >&3
read -r -u 3 line
[ "$line" = hello ] || fail "no echo"
timeout 2 bash -c 'exec 4<>/dev/tcp/192.0.2.2/81' 2>/dev/null

ask ss | grep -qE '^ESTABLISHED +0 +0 +192\.0\.2\.2:7 +192\.0\.2\.1:[0-9]+ ' || fail "ss: $(ask ss)"
[ "$(ask ss | wc -l)" -eq 2 ] || fail "ss shows listeners unasked"
[ "$(ask ss -l | grep -c '^LISTEN')" -eq 2 ] || fail "ss -l"
[ "$(ask ss -a --port 7 | wc -l)" -eq 3 ] || fail "ss -a --port"
[ "$(ask ss --state close-wait | wc -l)" -eq 1 ] || fail "ss --state close-wait"
[ "$(ask ss --state estab | wc -l)" -eq 2 ] || fail "ss --state estab"
ask ss -s | grep -qE '^ +1 +ESTABLISHED$' || fail "ss -s"
ask ss --counters | grep -qE ' 1 +rule closed-reset$' || fail "ss --counters"
ask ss --prometheus | grep -qxF 'estab_connections{state="ESTABLISHED"} 1' || fail "ss --prometheus"
ask ss --json | grep -q '"state":"ESTABLISHED"' || fail "ss --json"

read -r local remote < <(ask ss | awk 'NR == 2 { print $4, $5 }')
ask why "$local" "$remote" >"$work/why" || fail "why: $(cat "$work/ask.err")"
grep -q '^  state:  ESTABLISHED for ' "$work/why" || fail "why: $(cat "$work/why")"
grep -q 'LISTEN → SYN_RCVD' "$work/why" || fail "why has no history: $(cat "$work/why")"
id=$(ask ss | awk 'NR == 2 { print $6 }')
[ "$(ask why "$id" | head -n 1)" = "$(head -n 1 "$work/why")" ] || fail "why by id"
ask why '*:7' | grep -q '^listener ' || fail "why of a listener"
ask why 192.0.2.2:4444 192.0.2.1:5555 | grep -q 'Nobody listens on port 4444' || fail "why of nobody"

# Settings, live.
[ "$(ask set net.ipv4.tcp_fin_timeout)" = 'net.ipv4.tcp_fin_timeout = 60' ] || fail "set: reading"
[ "$(ask set net.ipv4.tcp_fin_timeout=30)" = 'net.ipv4.tcp_fin_timeout = 30' ] || fail "set: writing"
[ "$(ask set | grep -c ' = ')" -gt 30 ] || fail "set: the list"
refused 2 set net.ipv4.tcp_fin_timeout=soon
refused 2 set net.ipv4.tcp_fin
refused 2 ss --state sleeping
refused 2 ss -s --counters
refused 2 why here

# Talkers of nonsense, and those who say nothing, are nobody's trouble.
printf 'hello\n' | within 5 nc -NU "$control" | grep -q '"status":2' || fail "nonsense was not refused"
head -c 100000 /dev/zero | within 5 nc -NU "$control" >/dev/null
for _ in 1 2 3 4 5 6 7 8; do nc -U "$control" </dev/zero >/dev/null 2>&1 & done
echo again >&3
read -r -t 5 -u 3 line
[ "$line" = again ] || fail "control clients stop the data path"
ask ss >/dev/null || fail "ss beside talkers: $(cat "$work/ask.err")"
exec 3>&-

# Nobody answers once it is gone, and nothing is left of it, though root has become nobody: neither
# after a good end nor after a bad one.
stop_server
refused 1 ss
is_gone "$control" || fail "the control socket stays behind"
serve --echo 7 --control "$control"
kill -KILL "$server"
wait "$server" 2>/dev/null || true
wait_for 5 is_gone "$control" || fail "the control socket of a killed server stays behind"
exit 0
