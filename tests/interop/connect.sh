#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2086,SC2154,SC2317
# estab connect against servers of the kernel.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

make_link
links=("${estab_addresses[@]:0:2}" --address 192.0.2.2/24 --address 2001:db8::2/64)
connect() {
  within 60 "$estab" connect "$@" "${links[@]}"
}
listening() {
  ss -tlnH | grep -q ":$1 "
}
# kernel_server ADDRESS PORT: one connection; standard input to it, then half-close, and at the same
# time from it to standard output. (nc -l leaves as soon as the other side has ended.)
kernel_server() {
  within 60 perl -MIO::Socket::IP -e '
    my $server = IO::Socket::IP->new(Listen => 1, LocalHost => $ARGV[0], LocalPort => $ARGV[1])
      or die "perl: $@";
    my $peer = $server->accept();
    my $writer = fork();
    my ($from, $to) = $writer ? ($peer, \*STDOUT) : (\*STDIN, $peer);
    my $bytes;
    while (sysread $from, $bytes, 65536) {
      for (my $at = 0; $at < length $bytes;) {
        $at += syswrite($to, $bytes, length($bytes) - $at, $at) // die "perl: $!";
      }
    }
    if ($writer) { waitpid $writer, 0; exit $?; }
    $peer->shutdown(1);' "$@"
}

# Refused: one line, status 1. An address without a route, likewise.
connect 192.0.2.1 81 </dev/null >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || fail "refused: the exit status"
[ "$(cat "$work/err")" = "estab: connect 192.0.2.1:81: connection refused by the peer" ] ||
  fail "refused: $(cat "$work/err")"
connect 198.51.100.1 80 </dev/null 2>"$work/err"
[ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ] || fail "no route: $(cat "$work/err")"
# Nobody answers.
connect 192.0.2.77 80 --set net.ipv4.tcp_syn_retries=0 \
  --set net.ipv4.tcp_syn_linear_timeouts=0 </dev/null 2>"$work/err"
[ $? -eq 1 ] && grep -q 'did not answer in time' "$work/err" || fail "no answer: $(cat "$work/err")"

# 64 MiB each way at the same time, both halves closed by their senders.
random_file there 67108864
random_file here 67108864
for host in 192.0.2.1 2001:db8::1; do
  kernel_server $host 5000 <"$work/here" >"$work/there.got" &
  kernel=$!
  wait_for 5 listening 5000 || fail "the server does not listen"
  connect $host 5000 <"$work/there" >"$work/here.got" || fail "connect $host: status $?"
  wait $kernel || fail "the server: status $?"
  same there there.got
  same here here.got
done

# Half-close: the peer has ended long before we do, and still gets everything.
kernel_server 192.0.2.1 5001 </dev/null >"$work/late.got" &
kernel=$!
wait_for 5 listening 5001 || fail "the server does not listen"
{ sleep 0.5; echo late; } | connect 192.0.2.1 5001 >"$work/out" || fail "half-close: status $?"
wait $kernel || fail "the server: status $?"
[ "$(cat "$work/late.got")" = late ] || fail "half-close: lost what came late"
# And the other way round: we have ended, the peer sends later.
{ sleep 0.5; echo late; } | kernel_server 192.0.2.1 5002 >"$work/out" &
kernel=$!
wait_for 5 listening 5002 || fail "the server does not listen"
[ "$(connect 192.0.2.1 5002 </dev/null)" = late ] || fail "half-close: lost the peer's late word"
wait $kernel || fail "the server: status $?"

# Nobody reads standard output any more: an error, not a hang.
head -c 1000000 /dev/zero | kernel_server 192.0.2.1 5003 >/dev/null 2>&1 &
wait_for 5 listening 5003 || fail "the server does not listen"
{ connect 192.0.2.1 5003 </dev/null 2>"$work/err"; echo $? >"$work/status"; } | head -c 10 >/dev/null
[ "$(cat "$work/status")" = 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ] || fail "closed output"
exit 0
