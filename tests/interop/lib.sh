# shellcheck shell=bash disable=SC2034
# What the interop tests share. A test is called with the estab command and the impair helper; it
# sources this file, which starts it again within a network namespace and gives it:
#   $estab $impair    the programs            $work    a folder that is removed at the end
#   kernel addresses 192.0.2.1, 2001:db8::1   estab's 192.0.2.2, 2001:db8::2, on the TUN estab0
set -u
estab=$1
impair=${2-}

skip() {
  echo "skipped: $*"
  exit 77
}
fail() {
  echo "FAILED: $*" >&2
  [ ! -s "$work/serve.err" ] || sed 's/^/  | /' "$work/serve.err" >&2
  exit 1
}

if [ -z "${INTEROP_INSIDE-}" ]; then
  for tool in unshare ip curl nc sha256sum timeout; do
    command -v $tool >/dev/null || skip "the command $tool is missing"
  done
  if ! [ -r /dev/net/tun ] || ! [ -w /dev/net/tun ]; then
    skip "there is no /dev/net/tun that this user may open"
  fi
  own=(-n)
  [ "$(id -u)" -eq 0 ] || own=(-Urn)
  unshare "${own[@]}" ip tuntap add dev estab0 mode tun 2>/dev/null ||
    skip "no TUN device can be made in a network namespace here"
  INTEROP_INSIDE=yes exec unshare "${own[@]}" "$0" "$@"
fi

work=$(mktemp -d)
chmod 755 "$work"
server=
clean_up() {
  local left
  left=$(jobs -p)
  # shellcheck disable=SC2086
  [ -z "$left" ] || kill -KILL $left 2>/dev/null
  wait 2>/dev/null
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

make_link() {
  ip link set lo up
  ip tuntap add dev estab0 mode tun
  ip address add 192.0.2.1/24 dev estab0
  ip -6 address add 2001:db8::1/64 dev estab0 nodad
  ip link set estab0 up
}
estab_addresses=(--link tun:estab0 --address 192.0.2.2/24 2001:db8::2/64)

# A client in a namespace of its own (process $client), and a router, which this namespace becomes,
# between it and estab: 198.51.100.0/24 and 2001:db8:1::/64. False, and $work/veth says why, if there
# is no veth here.
make_client() {
  unshare -n sleep 120 &
  client=$!
  wait_for 5 bash -c "[ \$(readlink /proc/$client/ns/net) != \$(readlink /proc/self/ns/net) ]" ||
    fail "no namespace for the client"
  ip link add veth0 type veth peer name veth1 netns $client 2>"$work/veth" || return
  ip address add 198.51.100.1/24 dev veth0
  ip -6 address add 2001:db8:1::1/64 dev veth0 nodad
  ip link set veth0 up
  in_client ip link set lo up
  in_client ip address add 198.51.100.2/24 dev veth1
  in_client ip -6 address add 2001:db8:1::2/64 dev veth1 nodad
  in_client ip link set veth1 up
  in_client ip route add 192.0.2.0/24 via 198.51.100.1
  in_client ip -6 route add 2001:db8::/64 via 2001:db8:1::1
  echo 1 >/proc/sys/net/ipv4/ip_forward
  echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
}
in_client() {
  nsenter -t "$client" -n "$@"
}

# within SECONDS COMMAND...: fails if it takes longer.
within() {
  local limit=$1
  shift
  timeout -k 2 "$limit" "$@"
}
# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
  local tries=$(($1 * 50))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.02
  done
}

# serve ARGUMENTS...: starts estab serve and waits until it is ready.
serve() {
  rm -f "$work/serve.out" # an earlier one was ready, too
  "$estab" serve "${estab_addresses[@]}" -v "$@" >"$work/serve.out" 2>"$work/serve.err" </dev/null &
  server=$!
  wait_for 10 grep -qs '^estab: ready$' "$work/serve.out" || fail "estab serve did not get ready"
}
# ask VERB ARGUMENTS...: ss, why, set of a server with --control "$control".
control=$work/control
ask() {
  local verb=$1
  shift
  within 10 "$estab" "$verb" --control "$control" "$@" 2>"$work/ask.err"
}
is_over() {
  ! kill -0 "$1" 2>/dev/null
}
# stop_server: SIGTERM must end it within 10 s, with status 0 and nothing left.
stop_server() {
  local status=0
  kill -TERM "$server"
  wait_for 10 is_over "$server" || fail "estab serve did not end within 10 s of SIGTERM"
  wait "$server" || status=$?
  [ $status -eq 0 ] || fail "estab serve ended with status $status"
  grep -q 'left: 0 sockets, 0 half-open, 0 payload chunks' "$work/serve.err" ||
    fail "something was left: $(cat "$work/serve.err")"
  cat "$work/serve.err"
}
none_was_reset() {
  grep -q ' 0 reset at the end' "$work/serve.err" || fail "connections had to be reset at the end"
}

# random_file NAME BYTES
random_file() {
  head -c "$2" /dev/urandom >"$work/$1"
}
same() {
  cmp -s "$work/$1" "$work/$2" || fail "$2 is not $1 ($(stat -c %s "$work/$1" "$work/$2" | xargs) bytes)"
}
