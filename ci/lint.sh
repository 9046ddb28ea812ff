#!/usr/bin/env bash
# ruff over everything, mypy --strict over the package, as it is on Linux and on macOS, and the generated part of the
# manual.
. "$(dirname "$0")/common.sh"
"$python" -m ruff check --no-cache .
for system in linux darwin; do "$python" -m mypy --cache-dir "$scratch/mypy" --platform "$system"; done
"$python" ci/option_table.py --check
