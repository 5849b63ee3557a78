#!/bin/sh
# nginx in a container: reads its configuration and certificate anew when they have changed, and when a name that it sends requests
# to leads elsewhere: it looks names up when it starts, and containers that are made anew have new addresses.
#   watch.sh CONFIGURATION NAME...
set -u
configuration=$1
shift
nginx -e /dev/stderr -c "$configuration" &
nginx=$!
trap 'kill -QUIT $nginx' TERM INT QUIT
look() {
    cksum "$(dirname "$configuration")"/* 2>/dev/null
    for name in "$@"; do getent hosts "$name"; done
}
before=$(look "$@")
while kill -0 $nginx 2>/dev/null; do
    sleep 5 &
    wait $!
    now=$(look "$@")
    if [ "$now" != "$before" ] && nginx -e /dev/stderr -t -q -c "$configuration"; then
        kill -HUP $nginx
        before=$now
    fi
done
wait $nginx
