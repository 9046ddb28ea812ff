#!/usr/bin/env bash
# The manual as HTML, in build/docs: no warning, nothing that a browser would load from elsewhere, no link that leads nowhere.
. "$(dirname "$0")/common.sh"
rm -rf build/docs
"$python" -m sphinx -q -W --keep-going -b html -d "$scratch/doctrees" docs build/docs
"$python" ci/built_docs.py build/docs
