#!/usr/bin/env bash
# The tests on every Python there is: those in PATH, those of pyenv, or the ones that are named. Each in a copy.
. "$(dirname "$0")/common.sh"
found=("$@")
if [[ $# == 0 ]]; then
    shopt -s nullglob
    for version in 3.9 3.10 3.11 3.12 3.13 3.14 3.15; do
        here=("${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python "$(type -P "python$version" || true)")
        [[ -z ${here[0]} ]] || found+=("${here[0]}")
    done
fi
failed=0
for interpreter in "${found[@]}"; do
    name=$("$interpreter" -c 'import platform; print(platform.python_version())') || continue
    echo "--- Python $name"
    copy_tree "$scratch/$name"
    (
        cd "$scratch/$name"
        "$interpreter" -m venv .venv
        FASTWSGI_REQUIRE_EXT=1 .venv/bin/pip install -q -e '.[test]'
        .venv/bin/python -m pytest -q
    ) || failed=$((failed + 1))
    rm -rf "${scratch:?}/$name"
done
echo "$((${#found[@]} - failed)) interpreters passed, $failed failed"
[[ $failed == 0 ]]
