#!/usr/bin/env bash
# The tests on a build with AddressSanitizer, UndefinedBehaviorSanitizer and assertions, made in a copy.
# Arguments go to pytest. Left out are tests of other things, and those whose child processes are not ours: what is
# preloaded here stalls curl.
. "$(dirname "$0")/common.sh"
LEFT_OUT=()
for name in real_apps benchmarks check cli demo layers loader modules packaging readme settings; do
    LEFT_OUT+=("--ignore=tests/test_$name.py")
done
copy_tree "$scratch/tree"
cd "$scratch/tree"
"${BASE_PYTHON:-python3}" -m venv .venv
FASTWSGI_REQUIRE_EXT=1 FASTWSGI_SANITIZE=1 .venv/bin/pip install -q -e '.[test]'
# PYTHONMALLOC: each object is an allocation that the sanitizer sees. Leaks have tests of their own.
env LD_PRELOAD="$(gcc -print-file-name=libasan.so)" PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
    UBSAN_OPTIONS=print_stacktrace=1 .venv/bin/python -m pytest -q -o timeout=300 "${LEFT_OUT[@]}" "$@"
