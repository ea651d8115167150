#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2034,SC2086,SC2154,SC2317
# Over devices of the kernel's own, by AF_PACKET and AF_XDP: one end of a veth pair is estab's, the
# other, in a namespace of its own, the kernel's.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

unshare -n sleep 300 &
client=$!
wait_for 5 bash -c "[ \$(readlink /proc/$client/ns/net) != \$(readlink /proc/self/ns/net) ]" ||
  fail "no namespace for the client"
make_pair() {
  ip link add veth0 type veth peer name veth1 netns $client || return
  ip link set veth0 up
  in_client ip address add 192.0.2.1/24 dev veth1
  in_client ip -6 address add 2001:db8::1/64 dev veth1 nodad
  in_client ip link set veth1 up
}
ip link set lo up
in_client ip link set lo up
make_pair 2>"$work/veth" || skip "no veth here: $(cat "$work/veth")"
addresses=(--address 192.0.2.2/24 2001:db8::2/64)

# refused STATUS PATTERN LINK [OPTION...]: one line, and no other end.
refused() {
  local wanted=$1 pattern=$2 status
  shift 2
  within 10 "$estab" serve --link "$@" --address 192.0.2.2/24 --echo 7 2>"$work/err" </dev/null
  status=$?
  [ $status -eq "$wanted" ] && [ "$(wc -l <"$work/err")" -eq 1 ] &&
    grep -q "^estab: .*$pattern" "$work/err" ||
    fail "--link $*: status $status instead of $wanted: $(cat "$work/err")"
}
refused 1 'there is no network device veth9' packet:veth9
refused 1 'lo is no Ethernet' packet:lo
refused 2 "'frob' is no option of a packet link" packet:veth0,frob
refused 2 "'' is no option of a packet link" packet:veth0,
refused 2 "'queue=x' is no option of an xdp link" xdp:veth0,queue=x
refused 2 'mode=generic always copies' xdp:veth0,mode=generic,zerocopy
refused 2 'has no options' tun:estab0,blocks
setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$estab" 2>"$work/err" &&
  { setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$estab" serve \
    --link packet:veth0 "${addresses[@]}" --echo 7 2>"$work/err" </dev/null
    grep -q 'no permission to open a packet socket' "$work/err" ||
      fail "without rights: $(cat "$work/err")"; }

resets() {
  awk '/^Tcp:/ && $15 ~ /^[0-9]+$/ {print $15}' /proc/net/snmp
}
echoes() {
  local host
  for host in 192.0.2.2 2001:db8::2; do
    within 60 nsenter -t $client -n nc -N $host 7 <"$work/sent" >"$work/back" ||
      fail "$1: echo at $host"
    same sent back
  done
}
is_listening() {
  in_client ss -tlnH | grep -q :5000
}
# Out, to a server of the kernel's.
connects() {
  in_client nc -l 192.0.2.1 5000 >"$work/got" </dev/null &
  local kernel=$!
  wait_for 5 is_listening || fail "the server does not listen"
  within 60 "$estab" connect 192.0.2.1 5000 --link "$1" --address 192.0.2.2/24 <"$work/sent" \
    2>"$work/err" || fail "$1: connect: $(cat "$work/err")"
  wait $kernel
  same sent got
}

mkdir "$work/www"
chmod 755 "$work/www"
random_file sent 16777216
cp "$work/sent" "$work/www/file"
before=$(resets)
# moves_all LINK [OPTION...]: bulk both ways, and connections that come and go.
moves_all() {
  local link=$1 i
  shift
  estab_addresses=(--link "$link" "${addresses[@]}")
  serve --echo 7 --discard 9 --http 80="$work/www" "$@"
  if command -v ping >/dev/null; then
    in_client ping -c 2 -i 0.2 -w 5 -q 192.0.2.2 >/dev/null || fail "$link: ping"
    in_client ping -6 -c 2 -i 0.2 -w 5 -q 2001:db8::2 >/dev/null || fail "$link: ping -6"
  fi
  echoes "$link $*"
  for i in $(seq 8); do
    within 20 nsenter -t $client -n curl -s -o "$work/got" http://192.0.2.2/file ||
      fail "$link: curl, time $i"
    same sent got
  done
  stop_server
  none_was_reset
}

# What happens to the device, and to estab itself, while a connection is open.
survives() {
  local link=$1
  estab_addresses=(--link "$link" "${addresses[@]}")
  serve --echo 7
  # Down and up again: the connection waits.
  (head -c 100000 "$work/sent"; sleep 1.5; tail -c +100001 "$work/sent") |
    within 60 nsenter -t $client -n nc -N 192.0.2.2 7 >"$work/back" &
  local transfer=$!
  sleep 0.5
  ip link set veth0 down
  sleep 0.3
  ip link set veth0 up
  wait $transfer || fail "$link: down and up again"
  same sent back
  # Away: an end that says so, and no spinning before it.
  ip link delete veth0
  wait_for 10 is_over "$server" || fail "$link: the device is gone and estab is not"
  wait "$server"
  [ $? -eq 1 ] && grep -q 'was removed under us' "$work/serve.err" ||
    fail "$link: removed: $(cat "$work/serve.err")"
  make_pair
}

for link in packet:veth0 packet:veth0,blocks; do
  moves_all "$link"
  connects "$link"
  survives "$link"
done
moves_all packet:veth0 --busy-poll

echo 1 >/proc/sys/net/ipv4/conf/veth0/forwarding
estab_addresses=(--link packet:veth0 "${addresses[@]}")
serve --echo 7
grep -q 'the kernel forwards what comes by veth0' "$work/serve.err" || fail "forwarding is not told of"
stop_server >/dev/null
echo 0 >/proc/sys/net/ipv4/conf/veth0/forwarding

# The kernel forwards nothing and answers nothing of what is estab's.
[ "$(resets)" = "$before" ] || fail "the kernel beside estab has sent resets"

"$estab" connect 192.0.2.9 1 --link xdp:veth0 --address 192.0.2.2/24 </dev/null 2>"$work/err"
if grep -q 'no permission\|without AF_XDP\|needs libxdp' "$work/err"; then
  echo "AF_XDP not tried: $(cat "$work/err")"
  exit 0
fi
refused 1 'cannot do that' xdp:veth0,zerocopy
refused 1 'no such queue' xdp:veth0,queue=9
refused 1 'lo is no Ethernet' xdp:lo
ip link set veth0 mtu 9000
refused 1 'more than a frame of AF_XDP holds' xdp:veth0
ip link set veth0 mtu 1500

is_attached() {
  ip link show veth0 | grep -q xdp
}
moves_all xdp:veth0
grep -q 'xdp:veth0 (native, copy, queue 0)' "$work/serve.err" || fail "what was got is not said"
connects xdp:veth0
survives xdp:veth0
moves_all xdp:veth0,copy,queue=0 --busy-poll
# Two of them; and however one ends, nothing of it stays.
serve --echo 7
is_attached || fail "no program is attached"
refused 1 'one already' xdp:veth0
kill -KILL "$server"
wait "$server" 2>/dev/null
wait_for 5 bash -c '! ip link show veth0 | grep -q xdp' || fail "killed, it left its program"
# In the general path the other end must cut its packets itself, as the manual says.
if command -v ethtool >/dev/null; then
  in_client ethtool -K veth1 tso off >/dev/null || fail "ethtool"
  moves_all xdp:veth0,mode=generic
  # With finished checksums, which are looked at.
  in_client ethtool -K veth1 tx off >/dev/null || fail "ethtool"
  moves_all xdp:veth0
  moves_all packet:veth0
else
  echo "no ethtool here: generic mode, and finished checksums, not tried"
fi
is_attached && fail "a program was left"
exit 0
