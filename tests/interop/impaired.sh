#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2034,SC2016,SC2086,SC2154,SC2317
# 4 MiB to and from the kernel through 1 ms of delay with 1 % loss each way. The client is in a
# namespace of its own; packets pass  client - tuna =impair= tunb - (forwarding) - estab0 - estab.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"
command -v nsenter >/dev/null || skip "the command nsenter is missing"
seed=${SEED:-7}

ip link set lo up
ip tuntap add dev estab0 mode tun
ip address add 198.51.100.1/24 dev estab0
ip link set estab0 up
"$impair" tuna tunb --delay-us 500 --loss-ppm 10000 --seed "$seed" >"$work/impair.out" &
unshare -n sleep 200 &
client=$!
wait_for 5 grep -qs ready "$work/impair.out" || fail "impair did not get ready"
apart() {
  [ "$(readlink /proc/$client/ns/net)" != "$(readlink /proc/self/ns/net)" ]
}
wait_for 5 apart || fail "no second namespace"
in_client() {
  nsenter -t "$client" -n "$@"
}
ip link set tuna netns $client
in_client ip address add 192.0.2.1/24 dev tuna
in_client ip link set tuna up
in_client ip route add default dev tuna
ip link set tunb up
ip route add 192.0.2.0/24 dev tunb
echo 1 >/proc/sys/net/ipv4/ip_forward 2>/dev/null || skip "no right to forward here"

estab_addresses=(--link tun:estab0 --address 198.51.100.2/24 --route 0.0.0.0/0=198.51.100.1)
mkdir "$work/www"
random_file www/file.bin 4194304
chmod -R a+rX "$work/www"
serve --http 80="$work/www" --echo 7
within 60 nsenter -t "$client" -n curl -sS --noproxy '*' --fail -o "$work/fetched" \
  -w 'from estab: %{time_total} s\n' http://198.51.100.2/file.bin || fail "seed $seed: from estab"
same www/file.bin fetched
began=$(date +%s%N)
within 60 nsenter -t "$client" -n nc -N 198.51.100.2 7 <"$work/www/file.bin" >"$work/back" ||
  fail "seed $seed: there and back"
same www/file.bin back
echo "there and back: $((($(date +%s%N) - began) / 1000000)) ms"
stop_server
# Had nothing been lost, this test would have tested nothing.
grep -q ' 0 retransmissions' "$work/serve.err" && fail "nothing was lost"
exit 0
