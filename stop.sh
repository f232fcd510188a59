#!/usr/bin/env bash
# Stops the fleet: drains, flushes, tells what was saved, and leaves no process. Not running is fine too.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
if [ "$#" -gt 0 ]; then
    echo "usage: ./stop.sh" >&2
    exit 2
fi
if [ ! -x .venv/bin/python ]; then
    echo " not running"
    exit 0
fi
exec .venv/bin/python -m launch down
