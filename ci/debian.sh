#!/usr/bin/env bash
# The tests, both builds, on Pythons that this machine may not have: those of Debian suites, each suite in a root of its
# own, build/roots/SUITE, which stays for the next time. As root:
#
#     bash ci/debian.sh                       # all of the table below
#     bash ci/debian.sh sid 3.15              # one
#     bash ci/debian.sh sid 3.15 tests/http   # with arguments for pytest
. "$(dirname "$0")/common.sh"
. ci/roots.sh
declare -A table=([bullseye]=3.9 [trixie]=3.13 [sid]="3.14 3.15")
tools=(ca-certificates gcc libc6-dev curl openssl procps nginx-light haproxy)

# try SUITE PYTHON [PYTEST ARGUMENT...]: install there, and run all tests, or those that are named.
try() {
    local root=build/roots/$1 place=/root/$2/fastwsgi
    echo "--- Python $2 of Debian $1"
    rm -rf "$root/root/$2"
    copy_tree "$root$place"
    # shellcheck disable=SC2016
    enter "$root" bash -c '
        cd "$0" && "python$1" -m venv .venv && .venv/bin/python -VV &&
            FASTWSGI_REQUIRE_EXT=1 .venv/bin/pip install -q -e ".[test]" || exit
        code=0
        for build in c py; do bash ci/test.sh "$build" "${@:2}" || code=1; done
        exit $code' "$place" "${@:2}"
}

failed=()
for suite in ${1:-"${!table[@]}"}; do
    read -ra versions <<< "${2:-${table[$suite]}}"
    pythons=()
    for version in "${versions[@]}"; do pythons+=("python$version-dev" "python$version-venv"); done
    make_root "build/roots/$suite" "$suite" "${tools[@]}" "${pythons[@]}"
    for version in "${versions[@]}"; do
        try "$suite" "$version" "${@:3}" || failed+=("$suite $version")
    done
done
[[ ${#failed[@]} == 0 ]] || { echo "failed: ${failed[*]}"; exit 1; }
