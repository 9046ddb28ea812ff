#!/usr/bin/env bash
# Whole sites of frameworks in Chromium, which is installed if it is missing: test_*_browser.py of the frameworks below.
. "$(dirname "$0")/common.sh"
frameworks=(django flask)
. ci/browser.sh
tests=()
for framework in "${frameworks[@]}"; do
    tests+=("tests/whole/test_${framework}_browser.py")
done
WITH_BROWSER=1 "$python" -m pytest -q "${tests[@]}"
