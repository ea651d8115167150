#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2154
# estab serve with several threads: one host to its clients, to ping, ss, why and set.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

# refused LINE ARGUMENTS...: estab serve says no in one line, in which LINE stands.
refused() {
  local line=$1 status=0
  shift
  within 10 "$estab" serve --link tun:estab0 --address 192.0.2.2/24 --echo 7 "$@" \
    >"$work/refused" 2>&1 || status=$?
  [ $status -ne 0 ] && [ "$(wc -l <"$work/refused")" -eq 1 ] && grep -qF -- "$line" "$work/refused" ||
    fail "serve $*: status $status, $(cat "$work/refused")"
}

make_link
for count in 0 65 two 1.5 ''; do
  refused "--threads $count" --threads "$count"
done
refused 'multi_queue' --threads 2 # the device has one queue
ip link delete estab0
refused 'only TUN links are served by several threads' --threads 2 --link tap:estab1
refused '--ladder draws what one thread sees' --threads 2 --ladder -

ip tuntap add dev estab0 mode tun multi_queue
ip address add 192.0.2.1/24 dev estab0
ip -6 address add 2001:db8::1/64 dev estab0 nodad
ip link set estab0 up
mkdir "$work/files"
random_file files/file 300000
serve --threads 2 --http "80=$work/files" --echo 7 --control "$control" --pcap "$work/pcap"

# 64 at once over IPv4, 64 over IPv6.
for host in 192.0.2.2 '[2001:db8::2]'; do
  rm -f "$work"/got.*
  seq 64 | within 60 xargs -P 64 -I '{}' curl -sf -o "$work/got.{}" "http://$host/file" ||
    fail "curl from $host"
  for i in $(seq 64); do same files/file "got.$i"; done
done
# What travels in the middle of a connection belongs to it too: 16 MiB there and back.
random_file sent 16777216
within 60 nc -N 192.0.2.2 7 <"$work/sent" >"$work/back" || fail "echo"
same sent back
if command -v ping >/dev/null; then
  ping -c 20 -i 0.01 -w 5 192.0.2.2 >"$work/ping" || fail "ping"
  grep -q ' 20 received, 0% packet loss' "$work/ping" || fail "ping: $(cat "$work/ping")"
  ! grep -q 'duplicates\|DUP' "$work/ping" || fail "ping is answered twice"
  # Fragments, put together before it is known whose they are.
  ping -c 3 -i 0.1 -w 5 -s 8000 -q 192.0.2.2 >/dev/null || fail "ping of 8000 bytes"
else
  echo "no ping here: not tried"
fi
within 5 nc -z 192.0.2.2 81 && fail "port 81 is open"

# Eight open ones: each is found, wherever it lives.
for i in 1 2 3 4 5 6 7 8; do
  eval "exec $((10 + i))<>/dev/tcp/192.0.2.2/7"
done
ask ss --port 7 --state established >"$work/ss" || fail "ss: $(cat "$work/ask.err")"
[ "$(grep -c '^ESTABLISHED' "$work/ss")" -eq 8 ] || fail "ss: $(cat "$work/ss")"
[ "$(awk 'NR > 1 { print $6 }' "$work/ss" | sort -u | wc -l)" -eq 8 ] || fail "ids are not unique"
odd=0
while read -r _ _ _ local remote id _; do
  case $id in *[13579]) odd=$((odd + 1)) ;; esac
  ask why "$local" "$remote" >"$work/why" || fail "why: $(cat "$work/ask.err")"
  grep -q 'LISTEN → SYN_RCVD' "$work/why" || fail "why $local $remote: $(cat "$work/why")"
  [ "$(ask why "$id" | head -n 1)" = "$(head -n 1 "$work/why")" ] || fail "why $id"
done < <(tail -n +2 "$work/ss")
echo "$odd of 8 connections are in one of two threads"
[ "$(ask ss -l | grep -c '^LISTEN')" -eq 2 ] || fail "a listener of both threads is not one: $(ask ss -l)"
[ "$(ask ss -s | awk '$2 == "ESTABLISHED" { print $1 }')" = 8 ] || fail "ss -s: $(ask ss -s)"
[ "$(ask ss --counters | awk '$2 == "connections_accepted" { print $1 }')" = 137 ] ||
  fail "ss --counters: $(ask ss --counters | grep connections)"
[ "$(ask ss --counters | awk '$2 == "rule" && $3 == "closed-reset" { print $1 }')" = 1 ] || fail "rules"
[ "$(ask ss --counters | awk '$2 == "hand_over_losses" { print $1 }')" = 0 ] || fail "losses"
ask ss --prometheus | grep -qxF 'estab_connections{state="LISTEN"} 2' || fail "ss --prometheus"
[ "$(ask why '*:7' | grep -c '^listener ')" -eq 2 ] || fail "why of a listener"
# One that has ended is told of by the thread that it lived in.
read -r local remote < <(awk 'NR == 2 { print $4, $5 }' "$work/ss")
for i in 1 2 3 4 5 6 7 8; do eval "exec $((10 + i))>&-"; done
[ "$(ask set net.ipv4.tcp_fin_timeout=30)" = 'net.ipv4.tcp_fin_timeout = 30' ] || fail "set"
ask why "$local" "$remote" | grep -q 'LISTEN → SYN_RCVD' || fail "why of one that has ended"

stop_server
none_was_reset
grep -q ' 137 connections accepted' "$work/serve.err" || fail "not all were accepted"
[ "$(grep -cE 'thread [12]: [1-9][0-9]+ connections accepted' "$work/serve.err")" -eq 2 ] ||
  fail "both threads should have served: $(cat "$work/serve.err")"
# The recording is whole: every record's length leads to the next, and to the end.
if command -v tcpdump >/dev/null; then
  tcpdump -nr "$work/pcap" >"$work/dump" 2>/dev/null || fail "tcpdump does not read the recording"
  [ "$(grep -c 'Flags \[S.\]' "$work/dump")" -ge 137 ] || fail "SYN|ACKs are missing in the recording"
else
  echo "no tcpdump here: only the size of the recording was looked at"
  [ "$(stat -c %s "$work/pcap")" -gt 38400000 ] || fail "the recording is too short"
fi

# A second signal ends it at once; a link that goes away ends it with one line.
serve --threads 2 --echo 7
ip link delete estab0
wait_for 10 is_over "$server" || fail "it goes on without its link"
status=0
wait "$server" || status=$?
[ $status -eq 1 ] || fail "status $status without its link"
grep -q 'was removed under us' "$work/serve.err" || fail "no word about the link"
exit 0
