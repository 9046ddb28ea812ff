#!/usr/bin/env bash
# Instructions per request, compared with benchmarks/instructions.json. Arguments as `benchmarks/instructions.py --help`.
. "$(dirname "$0")/common.sh"
"$python" benchmarks/instructions.py "$@"
