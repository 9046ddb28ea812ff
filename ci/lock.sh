#!/usr/bin/env bash
# Renews ci/requirements.txt: the newest releases of all that CI installs, for every Python we support, with hashes.
# CI installs these and nothing else, so that what a package index gives out tomorrow cannot change what was tested.
. "$(dirname "$0")/common.sh"
"${BASE_PYTHON:-python3}" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q uv
"$scratch/venv/bin/uv" pip compile -q --universal --python-version 3.9 --generate-hashes --extra test --upgrade \
    --custom-compile-command "bash ci/lock.sh" pyproject.toml ci/requirements.in -o ci/requirements.txt
