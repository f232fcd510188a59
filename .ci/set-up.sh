# shellcheck shell=bash
# What start.sh and test.sh need before there is any Python of ours: sourced by both, in the root.

fail() {
    printf ' %s\n' "$@" >&2
    exit 1
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
    if .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        return
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "[1/6] Python's venv module is missing: sudo apt-get install python3-venv"
    "$python" -m venv --clear .venv || fail "[1/6] $PWD/.venv cannot be made: see above"
}

install_packages() { # lock files
    local file wanted log=run/install.log
    mkdir -p run
    for file in "$@"; do
        wanted=$(sha256sum <"$file")
        if [ "$(cat ".venv/$file.sha256" 2>/dev/null)" = "$wanted" ]; then
            continue
        fi
        # Modules are compiled when first imported, in all programs at once: 7 s less than before the first start.
        .venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --no-input \
            --require-hashes -r "$file" >$log 2>&1 ||
            fail "[2/6] packages cannot be installed: $(grep -v '^WARNING' $log | tail -n 1); see $PWD/$log"
        echo "$wanted" >".venv/$file.sha256"
    done
}

bring_machine_packages() {
    local missing=() sudo=()
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || sudo=(sudo -n)
    if ! command -v apt-get >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
        echo "missing and not ours to install: ${missing[*]}; the tests that need them are skipped"
    elif ! { "${sudo[@]}" apt-get -qq update && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends "${missing[@]}"; } >run/apt.log 2>&1 </dev/null; then
        echo "cannot be installed: ${missing[*]} (see $PWD/run/apt.log); the tests that need them are skipped"
    fi
}
