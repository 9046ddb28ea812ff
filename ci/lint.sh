#!/usr/bin/env bash
# ruff over everything, mypy --strict over the package, and the generated part of the manual.
. "$(dirname "$0")/common.sh"
"$python" -m ruff check --no-cache .
"$python" -m mypy --cache-dir "$scratch/mypy"
"$python" ci/option_table.py --check
