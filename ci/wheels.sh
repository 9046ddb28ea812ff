#!/usr/bin/env bash
# Builds the sdist, and from it the wheel; looks into both; installs the wheel where nothing else is, and serves from it.
# Then an installation without a compiler.
. "$(dirname "$0")/common.sh"
export FASTWSGI_REQUIRE_EXT=1
copy_tree "$scratch/tree"
if ! "$python" -W error::DeprecationWarning -m build "$scratch/tree" --outdir "$scratch/dist" > "$scratch/build.log" 2>&1 ||
    grep -i deprecat "$scratch/build.log"; then
    cat "$scratch/build.log"
    exit 1
fi
"$python" ci/distributions.py "$scratch"/dist/*.tar.gz "$scratch"/dist/*.whl

"${BASE_PYTHON:-python3}" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q "$scratch"/dist/*.whl
(cd "$scratch" && exec venv/bin/fastwsgi fastwsgi.demo:app --bind 127.0.0.1:0 2> server.log) & server=$!
await_server 20
grep "the compiled build" "$scratch/server.log"
try_demo "$url"
stop_server

unset FASTWSGI_REQUIRE_EXT
CC=/bin/false "$scratch/venv/bin/pip" install -v --no-deps --force-reinstall "$scratch/tree" 2>&1 | grep "NOT COMPILED"
(cd "$scratch" && venv/bin/fastwsgi --version) | grep "pure Python"
