#!/usr/bin/env bash
# Installs a wheel where there is Python and nothing else, no compiler, no headers, no tools, and serves from it:
#
#     bash ci/bare.sh WHEEL [SUITE]
#
# in a root of a Debian suite, or of the one that this machine runs, whose Python must be the wheel's. As root.
. "$(dirname "$0")/common.sh"
. ci/roots.sh
wheel=$1 suite=${2:-$(. /etc/os-release && echo "$VERSION_CODENAME")} root=build/roots/bare-${2:-here}
if ! unshare --mount --pid --fork true 2> /dev/null; then
    echo "LEFT OUT: this machine does not let us mount, which a root of its own takes"
    exit 0
fi
make_root "$root" "$suite" python3 python3-venv
rm -rf "$root/root/bare"
mkdir -p "$root/root/bare/tools/ci" "$root/root/bare/wheels"
cp "$wheel" "$root/root/bare/wheels"
cp ci/installed.py "$root/root/bare/tools/ci"  # which takes what is beside its folder for a source tree
# From here, where pip has an index, for the Python there
"$python" -m pip download -q --no-deps --only-binary :all: --dest "$root/root/bare/wheels" \
    --python-version "$(enter "$root" python3 -c 'import platform; print(platform.python_version())')" httptools
# shellcheck disable=SC2016
enter "$root" bash -ec '
    cd /root/bare
    for tool in gcc cc clang make git curl; do
        ! type -P "$tool" || { echo "that is no bare machine"; exit 1; }
    done
    python3 -m venv .venv
    .venv/bin/pip install -q --no-index --find-links wheels fastwsgi-server
    .venv/bin/python tools/ci/installed.py
    .venv/bin/fastwsgi --version'
