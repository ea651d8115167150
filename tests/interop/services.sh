#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2086,SC2154,SC2317
# nc and ping of the kernel against estab's small services.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

make_link
random_file sent 67108864
serve --echo 7 --discard 9 --chargen 19

if command -v ping >/dev/null; then
  ping -c 3 -i 0.2 -w 5 -q 192.0.2.2 >/dev/null || fail "ping"
  ping -6 -c 3 -i 0.2 -w 5 -q 2001:db8::2 >/dev/null || fail "ping -6"
  ping -c 1 -w 5 -s 1400 -q 192.0.2.2 >/dev/null || fail "ping of 1400 bytes"
else
  echo "no ping here: not tried"
fi

# 64 MiB there and back over one connection; the client closes its half first.
for host in 192.0.2.2 2001:db8::2; do
  within 60 nc -N "$host" 7 <"$work/sent" >"$work/back" || fail "echo at $host"
  same sent back
done
within 60 nc -N 192.0.2.2 9 <"$work/sent" >"$work/back" || fail "discard"
[ ! -s "$work/back" ] || fail "discard said something"
# The client goes away from a server that still sends.
[ "$(within 10 nc 192.0.2.2 19 </dev/null | head -n 1 | tr -d '\r')" = \
  ' !"#$%&'"'"'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefg' ] ||
  fail "chargen"
# Nobody listens there.
within 5 nc -z 192.0.2.2 81 && fail "port 81 is open"

# A connection that is idle when the server ends is closed in order: its reader sees the end.
within 20 bash -c 'exec 3<>/dev/tcp/192.0.2.2/7; echo hello >&3; cat <&3' >"$work/idle" &
idle=$!
wait_for 5 test -s "$work/idle" || fail "no echo of hello"
stop_server
wait $idle || fail "an idle connection did not end in order"
[ "$(cat "$work/idle")" = hello ] || fail "an idle connection got something else"
none_was_reset
# One that does not close is given up after a while.
rm "$work/idle"
serve --echo 7 --grace 1
within 20 bash -c 'exec 3<>/dev/tcp/192.0.2.2/7; echo hello >&3; read -r line <&3; echo "$line"; sleep 5' \
  >"$work/idle" &
idle=$!
wait_for 5 test -s "$work/idle" || fail "no echo of hello"
stop_server
grep -q ' 1 reset at the end' "$work/serve.err" || fail "who does not close was not reset"
kill $idle
exit 0
