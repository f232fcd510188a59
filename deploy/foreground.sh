#!/usr/bin/env bash
# The fleet for a container: starts it with the flags given, stays as long as Supervisor does, drains on SIGTERM.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.."

stop() {
    ./stop.sh
    exit 0
}
trap stop TERM INT

# 3: a program failed and was told; the rest records.
./start.sh "$@" || [ "$?" -eq 3 ]
while kill -0 "$(cat run/supervisord.pid 2>/dev/null)" 2>/dev/null; do
    sleep 1 &
    wait "$!" # a signal ends this wait at once, not the sleep
done
echo "Supervisor is gone" >&2
exit 1
