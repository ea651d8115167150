#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2086,SC2154,SC2317
# What lies beneath TCP, with the kernel as the other side: pings larger than the MTU, with IP options
# and extension headers; UDP that nobody wants; TCP through a router that makes fragments.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

make_link
random_file sent 2097152
serve --route 198.51.100.0/24=192.0.2.1 --echo 7 --set ipfrag_time=1

if command -v ping >/dev/null; then
  for host in 192.0.2.2 2001:db8::2; do
    for size in 3000 30001 65000; do
      ping -c 2 -i 0.2 -w 5 -q -M dont -s $size $host >"$work/ping" 2>&1 ||
        fail "ping of $size bytes to $host: $(cat "$work/ping")"
      grep -q ' 0% packet loss' "$work/ping" || fail "ping of $size bytes to $host was lost"
    done
  done
  # Record route: estab writes itself down as the request comes and as the reply goes.
  ping -R -n -c 1 -w 5 192.0.2.2 >"$work/ping" || fail "ping -R"
  [ "$(grep -c '192.0.2.2$' "$work/ping")" -ge 2 ] || fail "ping -R: $(cat "$work/ping")"
  ping -T tsandaddr -n -c 1 -w 5 192.0.2.2 >"$work/ping" || fail "ping -T tsandaddr"
  grep -q '192.0.2.2' "$work/ping" || fail "ping -T: $(cat "$work/ping")"
else
  echo "no ping here: not tried"
fi

# The kernel's sender is told that nobody wants its datagram.
for host in 192.0.2.2 2001:db8::2; do
  within 5 bash -c "exec 3<>/dev/udp/$host/2000; echo x >&3; sleep 0.2; echo y >&3" 2>"$work/udp" &&
    fail "UDP to $host was not refused"
  grep -qi 'refused' "$work/udp" || fail "UDP to $host: $(cat "$work/udp")"
done

# A client beyond a router whose way to estab takes no more than 600 bytes, and whose packets may be
# cut: what it sends arrives in fragments. What comes back need not be.
if ! make_client; then
  echo "no veth here ($(cat "$work/veth")): TCP in fragments not tried"
  stop_server
  exit 0
fi
in_client bash -c 'echo 1 >/proc/sys/net/ipv4/ip_no_pmtu_disc'
ip link set estab0 mtu 600
within 60 nsenter -t "$client" -n nc -N 192.0.2.2 7 <"$work/sent" >"$work/back" ||
  fail "echo through a router that makes fragments"
same sent back
created=$(awk '/^Ip: Forwarding/ {for (i = 1; i <= NF; ++i) if ($i == "FragCreates") c = i; next}
  /^Ip:/ {print $c}' /proc/net/snmp)
[ "$created" -gt 1000 ] || fail "the router made only $created fragments"
echo "the router made $created fragments"
kill $client
# Where a queue on the way was full, a datagram waits for a fragment that will not come: a second.
sleep 1.5
stop_server
none_was_reset
exit 0
