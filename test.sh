#!/usr/bin/env bash
# Everything that can be checked: lint, types, import contracts, tests. Sets itself up; `--fast` starts no server, no browser.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
usage="usage: ./test.sh [--fast]"
marks=""
case "${1-}" in
    "") ;;
    --fast) marks="not redis and not clickhouse and not fleet and not browser" ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "$usage" >&2 && exit 2 ;;
esac

# shellcheck source=.ci/set-up.sh
. .ci/set-up.sh
python=$(find_python)
make_venv
install_packages requirements.txt requirements-dev.txt
[ -n "$marks" ] || bring_machine_packages

failed=()
check() { # what, command
    local since=$SECONDS
    printf '== %s\n' "$1"
    if "${@:2}"; then
        printf '== %s: ok, %d s\n\n' "$1" $((SECONDS - since))
    else
        failed+=("$1")
        printf '== %s: FAILED\n\n' "$1"
    fi
}

venv=.venv/bin
check "lint" "$venv/ruff" check .
check "format" "$venv/ruff" format --check .
check "types" "$venv/mypy"
check "import contracts" "$venv/lint-imports"
# Tests with servers and browsers wait for them more than they work; whole fleets run one at a time. On a machine that is
# too busy patience may end before a server answers: what fails is tried again, and what fails each time has failed.
# Files in order of their names: the longest, in tests/faults, come first.
again=(--reruns 2 --reruns-delay 2)
check "tests without servers" "$venv/python" -m pytest -q -n 2 \
    -m "not redis and not clickhouse and not fleet and not browser"
if [ -z "$marks" ]; then
    check "tests with servers" "$venv/python" -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder "${again[@]}" \
        -m "(redis or clickhouse) and not (fleet or browser)"
    check "tests in a browser" "$venv/python" -m pytest -q -n 2 --dist loadfile "${again[@]}" -m browser
    check "tests of whole fleets" "$venv/python" -m pytest -q "${again[@]}" -m "fleet and not browser"
fi

if [ "${#failed[@]}" -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "all is well, ${SECONDS} s"
