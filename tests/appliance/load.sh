#!/bin/bash
# What asks the daemon while it is upgraded: load.sh WHAT. Writes a line for each try to /tmp/load/WHAT: `ok SECONDS`, or what failed.
# Ends when /tmp/load/end is there.
mkdir -p /tmp/load
socket=/run/quantum-clm/api.sock
# Waits for an answer as long as a start may take, and tries nothing a second time.
ask() { curl -sS -o /dev/null --max-time 60 -w 'ok %{time_total} %{http_code}' "$@" 2>&1; }
number=0
while [ ! -e /tmp/load/end ]; do
    number=$((number + 1))
    case $1 in
    tcp) said=$(ask --fail http://127.0.0.1:8000/health) || said="failed $number: $said" ;;
    unix) said=$(ask --fail --unix-socket $socket http://localhost/api/status) || said="failed $number: $said" ;;
    publish)
        body="{\"unit\": \"orders.service\", \"message\": \"order:$number filled\"}"
        said=$(ask --fail --unix-socket $socket -H 'Content-Type: application/json' -H "Idempotency-Key: order-$number" \
            -d "$body" http://localhost/api/events) || said="failed $number: $said"
        ;;
    tail)
        # Comes back with the last event that came whole, as a browser does.
        last=$(awk '/^id:/ { id = $2 } /^$/ { if (id) last = id } END { print last }' /tmp/load/tail.events 2>/dev/null)
        curl -sN --unix-socket $socket ${last:+-H "Last-Event-ID: $last"} "http://localhost/api/events/stream?unit=quantum-execution.service" >>/tmp/load/tail.events
        said="ok 0 tail"
        sleep 0.1
        ;;
    upload)
        # Slow enough to be under way when the daemon stops; sent again, at once, until it is in.
        rate=500k
        [ ! -s /tmp/load/upload ] || rate=1G
        said=$(ask --fail --unix-socket $socket --limit-rate $rate -T /tmp/load/model.bin \
            http://localhost/api/models/xgboost_btcusdt_1h/versions/v1/artifacts/model.bin) && : >/tmp/load/uploaded || said="again: $said"
        ;;
    esac
    echo "$said" >>"/tmp/load/$1"
    [ "$1" != upload ] || [ ! -e /tmp/load/uploaded ] || exit 0
done
