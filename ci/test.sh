#!/usr/bin/env bash
# The tests, for each way to run the server: `c`, the default, in which tests of single modules run in both builds,
# and `py`, in which whole servers are pure, too. Both, or the one that is named.
#
# Two halves run side by side, since one waits for processes and the other computes; with arguments for pytest,
# `ci/test.sh c tests/http -k chunked`, there is one run.
. "$(dirname "$0")/common.sh"
waiting=(tests/process tests/whole tests/front)

# halves: both halves; what the second says is shown when the first has ended.
halves() {
    local second code=0
    "$python" -m pytest -q "${waiting[@]/#/--ignore=}" > "$scratch/second.log" 2>&1 &
    second=$!
    "$python" -m pytest -q "${waiting[@]}" || code=$?
    wait "$second" || code=$?
    cat "$scratch/second.log"
    return "$code"
}

for build in ${1:-c py}; do
    echo "--- FASTWSGI_BACKEND=$build"
    if [[ $# -gt 1 ]]; then
        FASTWSGI_BACKEND=$build "$python" -m pytest -q "${@:2}"
    else
        FASTWSGI_BACKEND=$build halves
    fi
done
