#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2086,SC2154,SC2317
# Over Ethernet: the kernel's ARP and neighbour discovery as the peers of estab's.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

ip link set lo up
ip tuntap add dev estab0 mode tap
ip address add 192.0.2.1/24 dev estab0
ip -6 address add 2001:db8::1/64 dev estab0 nodad
ip link set estab0 up
estab_addresses=(--link tap:estab0 --address 192.0.2.2/24 2001:db8::2/64)
random_file sent 67108864
serve --echo 7 --discard 9

neighbour_is_known() {
  ip neighbour show "$1" dev estab0 | grep -q lladdr
}
if command -v ping >/dev/null; then
  ping -c 2 -i 0.2 -w 5 -q 192.0.2.2 >/dev/null || fail "ping"
  ping -6 -c 2 -i 0.2 -w 5 -q 2001:db8::2 >/dev/null || fail "ping -6"
fi
for host in 192.0.2.2 2001:db8::2; do
  within 60 nc -N "$host" 7 <"$work/sent" >"$work/back" || fail "echo at $host"
  same sent back
  neighbour_is_known "$host" || fail "the kernel does not know the station of $host"
done
# The kernel asks again whether it is still there, and is answered.
for host in 192.0.2.2 2001:db8::2; do
  ip neighbour change "$host" dev estab0 nud probe
  wait_for 5 bash -c "ip neighbour show $host dev estab0 | grep -q REACHABLE" ||
    fail "$host did not answer the kernel's question: $(ip neighbour show $host dev estab0)"
done
# Whoever looks whether the address is free hears that it is not.
if command -v arping >/dev/null; then
  arping -D -c 1 -w 2 -I estab0 192.0.2.2 >/dev/null && fail "the address is taken for free"
fi
stop_server
none_was_reset

# Out: the kernel is found, also as the next hop; who does not answer is unreachable after 3 s.
estab_connect() {
  within 30 "$estab" connect "$@"
}
links=("${estab_addresses[@]:0:2}" --address 192.0.2.2/24 --route 198.51.100.0/24=192.0.2.1)
ip address add 198.51.100.1/24 dev lo
for host in 192.0.2.1 198.51.100.1; do
  nc -l "$host" 5000 >"$work/got" </dev/null &
  kernel=$!
  wait_for 5 bash -c "ss -tlnH | grep -q :5000" || fail "the server does not listen"
  estab_connect "$host" 5000 "${links[@]}" <"$work/sent" >"$work/back" || fail "connect to $host"
  wait $kernel
  same sent got
done
estab_connect 192.0.2.77 5000 "${links[@]}" </dev/null 2>"$work/err"
[ $? -eq 1 ] && grep -q 'no route to the host' "$work/err" || fail "nobody there: $(cat "$work/err")"
exit 0
