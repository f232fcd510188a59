#!/usr/bin/env bash
# Sets everything up and starts the fleet. `./start.sh --help` tells the rest; asks nothing, and a second call is harmless.
set -euo pipefail
caller=$PWD
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
began=${EPOCHREALTIME/[.,]/}

fail() {
    printf ' %s\n' "$@" >&2
    exit 1
}

step() { # number, what is done
    local now=${EPOCHREALTIME/[.,]/}
    printf ' [%s/6] %-58s ok %3d.%d s\n' "$1" "$2" $(((now - began) / 1000000)) $(((now - began) / 100000 % 10))
    began=$now
}

find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    fail "[1/6] Python 3.11 or newer is missing: sudo apt-get install python3 python3-venv"
}

make_venv() {
    if ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        "$python" -c 'import ensurepip, venv' 2>/dev/null ||
            fail "[1/6] Python's venv module is missing: sudo apt-get install python3-venv"
        "$python" -m venv --clear .venv || fail "[1/6] $PWD/.venv cannot be made: see above"
    fi
}

install_packages() {
    local wanted
    wanted=$(sha256sum <requirements.txt)
    if [ "$(cat .venv/requirements.sha256 2>/dev/null)" != "$wanted" ]; then
        .venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --no-input \
            --require-hashes -r requirements.txt >run/install.log 2>&1 ||
            fail "[2/6] packages cannot be installed: $(grep -v '^WARNING' run/install.log | tail -n 1); see $PWD/run/install.log"
        echo "$wanted" >.venv/requirements.sha256
    fi
}

python=$(find_python)
"$python" launch/options.py --from "$caller" "$@"
case " $* " in *" --help "* | *" -h "*) exit 0 ;; esac
umask 077
mkdir -p run
exec 9>run/start.lock # one start at a time; the second then finds the fleet running
if command -v flock >/dev/null; then flock 9; fi
if [ ! -S run/supervisor.sock ]; then
    echo "tickfleet: live markets into ClickHouse"
    make_venv
    step 1 "python     $(.venv/bin/python -c 'import platform; print(platform.python_version())')  .venv"
    install_packages
    step 2 "packages   requirements.txt, checked by hash"
fi
exec .venv/bin/python -m launch up --from "$caller" "$@"
