#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2154
# A path that takes less than the links at its ends: the kernel is the router that says so, and the
# client behind it.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

make_link
make_client || skip "no veth here ($(cat "$work/veth"))"
# Towards the client no more than 1300 bytes, which only the router knows.
ip route replace 198.51.100.0/24 dev veth0 src 198.51.100.1 mtu lock 1300
ip -6 route del 2001:db8:1::/64 dev veth0
ip -6 route add 2001:db8:1::/64 dev veth0 mtu lock 1300

random_file sent 2097152
serve --route 198.51.100.0/24=192.0.2.1 --route 2001:db8:1::/64=2001:db8::1 --echo 7 \
  --control "$work/control"
lowered() {
  "$estab" ss --control "$work/control" --counters | awk '$2 == "path_mtu_lowered" {print $1}'
}
# A connection that stays, for ss to show.
nsenter -t "$client" -n bash -c 'exec 3<>/dev/tcp/192.0.2.2/7; exec sleep 60' &
held=$!
path_shown() {
  "$estab" ss --control "$work/control" | awk -v mtu="$1" '$1 == "ESTABLISHED" && $0 ~ " " mtu "( |$)" {n++} END {exit n == 0}'
}
wait_for 5 path_shown 1500 || fail "ss does not show what the link takes"
[ "$(lowered)" -eq 0 ] || fail "it knows before anything was sent"
times=0
for host in 192.0.2.2 2001:db8::2; do
  times=$((times + 1))
  within 60 nsenter -t "$client" -n nc -N $host 7 <"$work/sent" >"$work/back" ||
    fail "echo over $host through a narrow path"
  same sent back
  [ "$(lowered)" -eq $times ] || fail "$host: the path was lowered $(lowered) times"
  # The next connection knows it.
  within 60 nsenter -t "$client" -n nc -N $host 7 <"$work/sent" >"$work/back" || fail "again $host"
  same sent back
  [ "$(lowered)" -eq $times ] || fail "$host: it did not remember"
done
path_shown 1300 || fail "ss does not show what the path takes"
kill $held
stop_server
none_was_reset
exit 0
