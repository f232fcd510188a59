#!/usr/bin/env bash
# Sets everything up and starts the fleet. `./start.sh --help` tells the rest; asks nothing, and a second call is harmless.
set -euo pipefail
caller=$PWD
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
began=${EPOCHREALTIME/[.,]/}
# shellcheck source=.ci/set-up.sh
. .ci/set-up.sh

step() { # number, what is done
    local now=${EPOCHREALTIME/[.,]/}
    printf ' [%s/6] %-58s ok %3d.%d s\n' "$1" "$2" $(((now - began) / 1000000)) $(((now - began) / 100000 % 10))
    began=$now
}

python=$(find_python)
"$python" launch/options.py --from "$caller" "$@"
case " $* " in *" --help "* | *" -h "*) exit 0 ;; esac
umask 077
mkdir -p run
exec 9>run/start.lock # one start at a time; the second then finds the fleet running
if command -v flock >/dev/null; then flock 9; fi
if ! kill -0 "$(cat run/supervisord.pid 2>/dev/null)" 2>/dev/null; then
    echo "tickfleet: live markets into ClickHouse"
    make_venv
    step 1 "python     $(.venv/bin/python -c 'import platform; print(platform.python_version())')  .venv"
    install_packages requirements.txt
    step 2 "packages   requirements.txt, checked by hash"
fi
exec .venv/bin/python -m launch up --from "$caller" "$@"
