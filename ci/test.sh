#!/usr/bin/env bash
# The tests, for each way to run the server: `c`, the default, in which tests of single modules run in both builds,
# and `py`, in which whole servers are pure, too. Both, or the one that is named.
. "$(dirname "$0")/common.sh"
for build in ${1:-c py}; do
    echo "--- FASTWSGI_BACKEND=$build"
    FASTWSGI_BACKEND=$build "$python" -m pytest -q "${@:2}"
done
