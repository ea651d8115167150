#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2086,SC2154,SC2317
# Wrong use and an unwilling machine: one line that says what to do, the right status, nothing left.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

make_link
mkdir "$work/www"
# expect STATUS PATTERN ARGUMENTS...
expect() {
  local wanted=$1 pattern=$2 status
  shift 2
  within 10 "$estab" "$@" >"$work/out" 2>"$work/err" </dev/null
  status=$?
  [ $status -eq "$wanted" ] || fail "estab $*: status $status instead of $wanted: $(cat "$work/err")"
  [ "$(wc -l <"$work/err")" -eq 1 ] || fail "estab $*: not one line: $(cat "$work/err")"
  grep -q "^estab: .*$pattern" "$work/err" || fail "estab $*: $(cat "$work/err")"
  [ ! -s "$work/out" ] || fail "estab $*: said $(cat "$work/out")"
}
good=(--link tun:estab0 --address 192.0.2.2/24)
echo=("${good[@]}" --echo 7)

expect 2 'what is to be done? see'
expect 2 "no verb 'frob'; see estab --help" frob
expect 2 "no flag '--frob'" --frob
expect 2 "no flag '--frob'; see estab serve --help" serve --frob=1
expect 2 "'c' is one argument too many; see estab lab --help" lab a --all c
expect 2 'seed wants a value: --seed N; see estab lab --help' lab --seed
expect 2 'seed -1: a number from 0 to 18446744073709551615' lab --seed -1
expect 2 'seed x: a number' lab --seed x
expect 2 'all takes no value' lab --all=x
expect 2 'grace x: a number from 0 to 3600' serve "${echo[@]}" --grace x
expect 2 'which service' serve "${good[@]}"
expect 2 "192.0.2.1 is the kernel's own address on estab0" serve --link tun:estab0 \
  --address 192.0.2.1/24 --echo 7
expect 2 'give --link' serve
expect 2 'give --address' serve --link tun:estab0
expect 2 'KIND:NAME' serve --link estab0
expect 1 'no network device nowhere0' serve --link packet:nowhere0 --address 192.0.2.2/24 --echo 7
expect 2 'no kind of link' serve --link ton:estab0
expect 2 'not an address' serve --link tun:estab0 --address 192.0.2.256/24
expect 2 'prefix length' serve --link tun:estab0 --address 192.0.2.2
expect 2 'CIDR=VIA' serve "${good[@]}" --route nowhere
expect 2 '1 to 65535' serve "${good[@]}" --echo 65536
expect 2 '1 to 65535' serve "${good[@]}" --echo 0
expect 2 '1 to 65535' serve "${good[@]}" --http x="$work/www"
expect 2 'PORT=DIR' serve "${good[@]}" --http 80
expect 2 'is not a value of it' serve "${echo[@]}" --set tcp_syn_retries=many
expect 2 'did you mean net.ipv4.tcp_syn_retries' serve "${echo[@]}" --set net.ipv4.tcp_sin_retries=3
expect 2 'no such setting' serve "${echo[@]}" --set gibberish=3
expect 2 'NAME=VALUE' serve "${good[@]}" --set gibberish
expect 2 'is not a value' serve "${echo[@]}" --set net.ipv4.tcp_syn_retries=many
expect 2 'PORT' connect 192.0.2.1 "${good[@]}"
expect 2 'not an IP address' connect localhost 80 "${good[@]}"
expect 2 'not a port' connect 192.0.2.1 http "${good[@]}"
expect 1 'no folder' serve "${good[@]}" --http 80="$work/nothing"
expect 1 'not a folder' serve "${good[@]}" --http 80=/dev/null
expect 2 'that of --echo 7 already' serve "${good[@]}" --echo 7 --discard 7
expect 1 'cannot write it' serve "${echo[@]}" --pcap "$work/nothing/file"
expect 1 'not a TUN device' serve --link tun:lo --address 192.0.2.2/24 --echo 7
expect 2 'not a device name' serve --link tun:a/b --address 192.0.2.2/24
expect 2 'not a device name' serve --link tun:sixteen-letters- --address 192.0.2.2/24

# Every verb teaches.
for verb in '' serve connect; do
  # shellcheck disable=SC2086
  "$estab" $verb --help | grep -q '^Examples:' || fail "estab $verb --help has no examples"
done
"$estab" --version | grep -q '^estab [0-9]' || fail "the version"

# A TUN that another program has.
serve --echo 7
expect 1 'in use by another program' serve "${echo[@]}"
stop_server
[ "$(ip -o link show | grep -c estab)" -eq 1 ] || fail "a device was left"

# The rest only root can try: as root, the server is nobody, who may not read everything.
[ "$(id -u)" -eq 0 ] && [ "$(awk '{print $3; exit}' /proc/self/uid_map)" -gt 65534 ] || exit 0
chmod 700 "$work/www"
expect 1 'user nobody.*chmod' serve "${good[@]}" --http 80="$work/www"
serve --http 80="$work/www" --no-drop
stop_server
chmod 755 "$work/www"
serve --http 80="$work/www"
[ "$(awk '/^Uid/ {print $2, $3, $4}' "/proc/$server/status")" = "65534 65534 65534" ] ||
  fail "still root"
stop_server
command -v setpriv >/dev/null || exit 0
expect_as_nobody() {
  setpriv --reuid 65534 --regid 65534 --clear-groups "$estab" serve --link tun:other0 \
    --address 192.0.2.2/24 --echo 7 >"$work/out" 2>"$work/err" </dev/null
  [ $? -eq 1 ] && grep -q 'no permission' "$work/err" || fail "as nobody: $(cat "$work/err")"
}
setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$estab" && expect_as_nobody
exit 0
