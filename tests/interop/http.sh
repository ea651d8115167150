#!/bin/bash
# shellcheck disable=SC1091,SC2015,SC2016,SC2086,SC2154,SC2317
# curl, the kernel's TCP, fetches files from estab serve --http.
here=$(dirname "$0")
# shellcheck source=tests/interop/lib.sh
. "$here/lib.sh"

make_link
mkdir -p "$work/www/folder" "$work/secret"
chmod 755 "$work/www" "$work/www/folder"
echo '<p>page' >"$work/www/index.html"
echo 'no' >"$work/secret/file"
echo 'blank' >"$work/www/folder/with blank & more.txt"
ln -s ../secret "$work/www/link"
random_file www/file.bin 67108864
chmod 644 "$work"/www/*.*
serve --http 80="$work/www" --pcap "$work/packets.pcap" --ladder "$work/ladder"

get() {
  within 60 curl -sS --noproxy '*' --path-as-is "$@"
}
status_of() {
  get -o /dev/null -w '%{http_code}' "$@"
}
expect() {
  local wanted=$1 got
  shift
  got=$(status_of "$@")
  [ "$got" = "$wanted" ] || fail "curl $*: $got instead of $wanted"
}
# send_raw TEXT: the first line of the answer.
send_raw() {
  # shellcheck disable=SC2059
  printf "$1" | within 10 nc -N 192.0.2.2 80 | head -n 1 | tr -d '\r'
}
expect_raw() {
  local got
  got=$(send_raw "$2")
  [ "$got" = "HTTP/1.1 $1" ] || fail "'$2': '$got' instead of $1"
}

# A page, both families; a file of 64 MiB, both families.
for host in 192.0.2.2 '[2001:db8::2]'; do
  get --fail "http://$host/" >"$work/page" || fail "no page from $host"
  same www/index.html page
  get --fail -o "$work/fetched" -w "$host: %{speed_download} bytes/s\n" "http://$host/file.bin" ||
    fail "no file from $host"
  same www/file.bin fetched
done
rm "$work/fetched"

# What is there, what is not, and what must not be had.
expect 404 http://192.0.2.2/nothing
expect 404 http://192.0.2.2/index.html/
expect 301 http://192.0.2.2/folder
expect 200 http://192.0.2.2/folder/with%20blank%20%26%20more.txt
expect 405 -X DELETE http://192.0.2.2/index.html
expect 404 http://192.0.2.2/link/file
expect 403 http://192.0.2.2/link
expect 400 http://192.0.2.2/../secret/file
expect 400 http://192.0.2.2/%2e%2e/secret/file
expect 400 http://192.0.2.2/folder%2f..%2f..%2fsecret/file
expect 400 http://192.0.2.2/index.html%00
expect 431 -H "X-Long: $(head -c 9000 /dev/zero | tr '\0' x)" http://192.0.2.2/
get http://192.0.2.2/folder/ | grep -q 'with%20blank%20%26%20more.txt">with blank &amp; more.txt<' ||
  fail "the listing is wrong"
[ "$(get -I http://192.0.2.2/file.bin | tr -d '\r' | grep -i content-length)" = \
  'Content-Length: 67108864' ] || fail "HEAD is wrong"
expect_raw '400 Bad Request' 'GET / HTTP/1.1\r\n\r\n'
expect_raw '400 Bad Request' 'GET /\r\n\r\n'
expect_raw '400 Bad Request' 'GET /%%2 HTTP/1.0\r\n\r\n'
expect_raw '505 HTTP Version Not Supported' 'GET / HTTP/2.0\r\n\r\n'
expect_raw '200 OK' 'GET http://x/index.html?a=b HTTP/1.0\n\n'

# One connection serves several requests.
used=$(get -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects}\n' http://192.0.2.2/ \
  http://192.0.2.2/index.html http://192.0.2.2/nothing | xargs)
[ "$used" = "1 0 0" ] || fail "keep-alive: new connections $used"
# Pipelined: both are answered, in order.
[ "$(printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.0\r\n\r\n' |
  within 10 nc -N 192.0.2.2 80 | grep -a ^HTTP | tr -d '\r' | xargs)" = \
  'HTTP/1.1 200 OK HTTP/1.1 404 Not Found' ] || fail "pipelined requests"

# Many at once.
head -c 20000 "$work/www/file.bin" >"$work/www/small.bin"
chmod 644 "$work/www/small.bin"
urls=()
for i in $(seq 200); do urls+=(-o "$work/many.$i" "http://192.0.2.2/small.bin?$i"); done
within 60 curl -sS --noproxy '*' --fail --no-keepalive -H 'Connection: close' --parallel \
  --parallel-immediate --parallel-max 200 "${urls[@]}" || fail "200 at once"
for i in $(seq 200); do same www/small.bin "many.$i"; done

stop_server
none_was_reset
[ "$(grep -c . "$work/ladder")" -gt 10 ] && grep -q 'by syn-rcvd-ack' "$work/ladder" ||
  fail "the ladder is wrong"
# Magic, version, and every packet of 128 MiB in it.
[ "$(head -c 4 "$work/packets.pcap" | od -An -tx4 | xargs)" = a1b23c4d ] &&
  [ "$(stat -c %s "$work/packets.pcap")" -gt 134217728 ] || fail "the recording is wrong"

# SIGTERM while a file is on its way: it still arrives whole.
serve --http 80="$work/www" --grace 20
get --fail --limit-rate 40M -o "$work/slow" http://192.0.2.2/file.bin &
client=$!
wait_for 5 test -s "$work/slow" || fail "the slow transfer did not begin"
kill -TERM "$server"
wait $client || fail "a transfer was cut by SIGTERM"
same www/file.bin slow
wait_for 10 is_over "$server" || fail "estab serve did not end after the last transfer"
wait "$server" || fail "estab serve ended with status $?"
none_was_reset
