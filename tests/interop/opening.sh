#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2086,SC2154,SC2317
# SYN cookies and TCP Fast Open, each against the kernel in both roles.
here=$(dirname "$0")
fast_open_client=$3
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

make_link
counter() { # NAME: the kernel's count
  awk -v name="$1" '/^TcpExt/ { if (!head) { for (i = 2; i <= NF; ++i) at[$i] = i; head = 1 }
    else { print $(at[name]); exit } }' /proc/net/netstat
}
setting() {
  echo "$2" >"/proc/sys/net/ipv4/$1"
}
mkdir "$work/www"
head -c 100000 /dev/urandom >"$work/www/file"
fetch() { # URL OPTIONS...: the file, whole
  local url=$1
  shift
  within 20 curl -sS -o "$work/got" "$@" "$url" || fail "curl $url: status $?"
  cmp -s "$work/got" "$work/www/file" || fail "$url: not the file"
}
# SYNs from addresses that nobody has, up to 20,000 a second (more, and the device's own queue drops the
# honest ones before estab sees them), for so many seconds at most; says how many when told to stop.
flood() {
  exec perl -MSocket -MTime::HiRes=time -e '
    my ($to, $port, $seconds) = @ARGV;
    socket(my $raw, PF_INET, SOCK_RAW, 255) or die "raw socket: $!";
    my $dst = inet_aton($to);
    my ($sent, $end) = (0, time + $seconds);
    $SIG{TERM} = sub { $end = 0 };
    sub sum { my $s = 0; $s += $_ for unpack "n*", $_[0]; $s = ($s & 0xffff) + ($s >> 16) while $s >> 16;
              ~$s & 0xffff }
    while (time < $end) {
      for (1 .. 100) {
        my $src = pack "C4", 198, 51, 100, 1 + int rand 250;
        my $tcp = pack "nnNNCCnnn", 1024 + int rand 60000, $port, int rand 2**32, 0, 0x50, 2, 1000, 0, 0;
        substr $tcp, 16, 2, pack "n", sum($src . $dst . pack("CCn", 0, 6, 20) . $tcp);
        my $ip = pack "CCnnnCCna4a4", 0x45, 0, 40, 0, 0, 64, 6, 0, $src, $dst;
        send $raw, $ip . $tcp, 0, sockaddr_in(0, $dst) and ++$sent;
      }
      select undef, undef, undef, 0.005;
    }
    print "$sent\n";' "$@"
}

# Our cookies, the kernel as client: always, and under a flood that keeps the SYN queue full.
serve --http "80=$work/www" --set net.ipv4.tcp_syncookies=2
for host in 192.0.2.2 '[2001:db8::2]'; do fetch "http://$host/file" -g; done
stop_server >/dev/null
serve --http "80=$work/www" --set net.ipv4.tcp_max_syn_backlog=64
flood 192.0.2.2 80 60 >"$work/flooded" 2>"$work/flood.err" &
flooding=$!
sleep 0.5
for _ in 1 2 3 4 5 6 7 8; do fetch http://192.0.2.2/file; done
kill -0 $flooding 2>/dev/null || fail "the flood was over too soon: $(cat "$work/flood.err")"
kill -TERM $flooding
wait $flooding
[ "$(cat "$work/flooded")" -gt 1000 ] || fail "only $(cat "$work/flooded") spoofed SYNs"
stop_server >/dev/null

# The kernel's Fast Open client: the second connection carries its request on the SYN.
before=$(counter TCPFastOpenActive)
setting tcp_fastopen 1
serve --http "80=$work/www" --set net.ipv4.tcp_fastopen=0x403
for _ in 1 2 3; do fetch http://192.0.2.2/file --tcp-fastopen; done
[ $(($(counter TCPFastOpenActive) - before)) -ge 2 ] || fail "the kernel's SYN data was not accepted"
stop_server >/dev/null

# The kernel's servers: one that takes Fast Open, and one that sends cookies to everybody.
setting tcp_fastopen 3
perl -MIO::Socket::INET -e '
  my $l = IO::Socket::INET->new(LocalAddr => "192.0.2.1", LocalPort => 7, Listen => 5, ReuseAddr => 1)
    or die "listen: $!";
  setsockopt $l, 6, 23, pack "i", 5 or die "TCP_FASTOPEN: $!";
  for (1 .. 3) { my $c = $l->accept; my $all = do { local $/; <$c> }; print $c "pong to $all"; close $c }' &
kernel=$!
wait_for 5 eval 'ss -tlnH | grep -q ":7 "' || fail "the kernel does not listen"
within 20 "$fast_open_client" estab0 192.0.2.1 7 3 >"$work/pongs" || fail "the client: status $?"
printf 'pong to ping 1\npong to ping 2 syn-data\npong to ping 3 syn-data\n' | cmp -s - "$work/pongs" ||
  fail "the kernel's Fast Open server: $(cat "$work/pongs")"
wait $kernel || fail "the kernel's server: status $?"

setting tcp_syncookies 2
before=$(counter SyncookiesRecv)
printf 'cookie' | within 20 perl -MIO::Socket::INET -e '
  my $l = IO::Socket::INET->new(LocalAddr => "192.0.2.1", LocalPort => 9, Listen => 5) or die;
  my $c = $l->accept; print $c "hello"; close $c' &
kernel=$!
wait_for 5 eval 'ss -tlnH | grep -q ":9 "' || fail "the kernel does not listen"
got=$(within 20 "$estab" connect 192.0.2.1 9 "${estab_addresses[@]:0:2}" --address 192.0.2.2/24 </dev/null)
[ "$got" = hello ] || fail "over the kernel's cookie: '$got'"
[ "$(counter SyncookiesRecv)" -gt "$before" ] || fail "the kernel sent no cookie"
wait $kernel
echo ok
