#!/usr/bin/env bash
# The tests of fastwsgi.contrib.django, a whole site, and Django's own of live servers, with the Djangos that are named.
#
#     bash ci/django_versions.sh [VERSION...]      4.2, 5.2 and the newest; each in a copy, pure
#
# Each is installed for the newest Python found that has it; one for which there is no Python is a failure, and said.
. "$(dirname "$0")/common.sh"
versions=("$@")
[[ $# != 0 ]] || versions=(4.2 5.2 newest)
shopt -s nullglob
interpreters=()
for minor in 14 13 12 11; do
    here=("${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin/python "$(type -P "python3.$minor" || true)" "$python")
    for one in "${here[@]}"; do
        [[ $("$one" -c 'import sys; print(sys.version_info[1])' 2> /dev/null) != "$minor" ]] || interpreters+=("$one")
    done
done
declare -A newest_python=([4.2]=12 [5.2]=14)  # that it supports

# install VERSION: an environment in .venv with that Django, for the first Python that can; says which they are.
install() {
    local wanted=django~=$1.0 one minor
    [[ $1 != newest ]] || wanted='django>=6'
    for one in "${interpreters[@]}"; do
        minor=$("$one" -c 'import sys; print(sys.version_info[1])')
        [[ $minor -le ${newest_python[$1]:-99} ]] || continue
        rm -rf .venv
        "$one" -m venv .venv
        ! .venv/bin/pip install -q "$wanted" whitenoise 2> pip.log || break
    done
    .venv/bin/python -c 'import django, platform; print(f"--- Django {django.__version__}, Python {platform.python_version()}")' ||
        { cat pip.log; return 1; }
    .venv/bin/pip install -q -e '.[test]'
}

failed=0
for version in "${versions[@]}"; do
    copy_tree "$scratch/$version"
    (
        cd "$scratch/$version"
        export FASTWSGI_NO_EXT=1 FASTWSGI_BACKEND=py
        install "$version" &&  # "set -e" does not hold in front of ||
            .venv/bin/python -m pytest -q tests/contrib/test_django_*.py tests/whole/test_django_site.py &&
            .venv/bin/python ci/django_live.py py
    ) || failed=$((failed + 1))
    rm -rf "${scratch:?}/$version"
done
echo "$((${#versions[@]} - failed)) versions passed, $failed failed"
[[ $failed == 0 ]]
