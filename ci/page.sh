#!/usr/bin/env bash
# The status page in Chromium, which is installed if it is missing: its tests, and pictures of it in build/page.
. "$(dirname "$0")/common.sh"
. ci/browser.sh
WITH_BROWSER=1 "$python" -m pytest -q tests/whole/test_status_{browser,figures}.py
"$python" ci/page.py build/page
