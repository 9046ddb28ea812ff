#!/usr/bin/env bash
# The tests on an interpreter without a GIL. It is built from Debian's source package and stays, with an environment of
# its own, in build/freethreaded, so that the next run takes a minute to compile the package, or nothing if it need not.
#
#     bash ci/freethreaded.sh                              # 3.13, all tests
#     bash ci/freethreaded.sh 3.14 tests/server -k threads # another, and arguments for pytest
#     bash ci/freethreaded.sh --build [VERSION]            # no tests
#     bash ci/freethreaded.sh --locks [VERSION] [TEST...]  # pure, and in which order locks are taken
#     bash ci/freethreaded.sh --races [VERSION] [TEST...]  # interpreter, httptools and package under ThreadSanitizer
#
# FASTWSGI_BACKEND=py has whole servers pure, as in `ci/test.sh py`. Where not all packages can be had for that
# interpreter, or with PIP_NO_INDEX, only what tests without a framework need is installed.
. "$(dirname "$0")/common.sh"
kept=$PWD/build/freethreaded
mirror=http://deb.debian.org/debian/pool/main/p
# What the mirror has of versions whose newest package it has not wholly
declare -A known=(
    [3.14]="3.14.4 d923c51303e38e249136fc1bdf3568d56ecb03214efdef48516176d3d7faaef8"
    [3.15]="3.15.0~rc2 8d93af5eaaaea5adfd41bd786a7ba3f03f2ad1ab57c6a65e0b963deab91d5ad7"
)

# own_apt COMMAND...: apt with lists of sources, and nothing else of this system.
own_apt() {
    local state=$kept/apt
    "$1" -qq -o Dir::State="$state" -o Dir::Cache="$state" -o Dir::Etc::SourceList="$state/sources.list" \
        -o Dir::Etc::SourceParts=- -o APT::Sandbox::User="$(id -un)" "${@:2}"
}

# list_sources: what source packages there are.
list_sources() {
    local state=$kept/apt suite
    mkdir -p "$state"/{lists,archives}/partial
    for suite in trixie sid; do
        echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main"
    done > "$state/sources.list"
    own_apt apt-get update
}

# get_source: the newest source of that version which can be had whole goes to $scratch; Debian's patches are for its own
# layout, and stay out.
get_source() {
    local package=python$version release said
    list_sources
    while read -r release; do
        ! (cd "$scratch" && own_apt apt-get source --download-only "$package=$release" 2> /dev/null) || return 0
        rm -f "$scratch"/*.orig.tar.xz
        echo "the mirror lacks $package $release"
    done < <(own_apt apt-cache showsrc --only-source "$package" | sed -n 's/^Version: //p' | sort -rVu)
    read -r release said <<< "${known[$version]:?there is no source of Python $version}"
    curl -fsS "$mirror/$package/${package}_$release.orig.tar.xz" -o "$scratch/$package.orig.tar.xz"
    sha256sum -c --quiet - <<< "$said  $scratch/$package.orig.tar.xz"
}

# build_interpreter PLACE [ARGUMENT...]: some two minutes on two cores. OPT is the default without -g, and -O2 for -O3.
build_interpreter() {
    local place=$1 log=$scratch/build.log
    [[ ! -e $place/python/whole ]] || return 0
    echo "--- building Python $version without a GIL${2:+, $2}"
    mkdir -p "$place"
    [[ -d $scratch/source ]] || get_source
    rm -rf "$scratch/objects"
    mkdir -p "$scratch/source" "$scratch/objects"
    tar -xf "$scratch"/*.orig.tar.xz -C "$scratch/source" --strip-components 1
    # The library is compiled as it is imported, not by `install`
    (
        cd "$scratch/objects" &&
            ../source/configure -q --disable-gil --disable-test-modules --without-ensurepip --prefix="$place/python" \
                OPT="-O2 -fwrapv" "${@:2}" &&
            make -s -j "$(nproc)" && rm -rf "$place/python" && make -s install PYTHON_FOR_BUILD=:
    ) > "$log" 2>&1 || { tail -50 "$log"; return 1; }
    cp -r "$scratch/source/Tools/tsan" "$place/python/tsan"
    touch "$place/python/whole"
}

# refresh_tree PLACE: the copy that is tested, with the modules that were compiled in the one before.
refresh_tree() {
    local place=$1
    rm -rf "$place/new"
    copy_tree "$place/new"
    [[ ! -d $place/fastwsgi ]] ||
        find "$place/fastwsgi/fastwsgi" -maxdepth 1 -name '_compiled*' -exec cp -p -t "$place/new/fastwsgi" {} +
    rm -rf "$place/fastwsgi"
    mv "$place/new" "$place/fastwsgi"
}

# is_fresh PLACE: whether what is installed was made from the texts that are there.
is_fresh() {
    [[ $1/installed -nt setup.py && $1/installed -nt pyproject.toml ]] &&
        (cd "$1/fastwsgi" && "$1/venv/bin/python" -c 'from fastwsgi import backend; backend.build("c")' 2> /dev/null)
}

# install: what has no wheel for interpreters without a GIL may be older than the newest, or is compiled.
install() {
    local pip=("$plain/venv/bin/python" -m pip --disable-pip-version-check -q install --prefer-binary)
    refresh_tree "$plain"
    ! is_fresh "$plain" || return 0
    [[ -e $plain/venv ]] || "$plain/python/bin/python$version" -m venv "$plain/venv"
    "${pip[@]}" setuptools Cython
    (
        cd "$plain/fastwsgi"
        export FASTWSGI_REQUIRE_EXT=1
        [[ -n ${PIP_NO_INDEX:-} ]] || ! "${pip[@]}" --no-build-isolation -e '.[test]' || exit 0
        echo "--- without the packages of some tests"
        "${pip[@]}" --no-build-isolation -e . pytest pytest-timeout hypothesis
    )
    touch "$plain/installed"
}

# newest_clang: its ThreadSanitizer knows the fences of the interpreter, which GCC's does not.
newest_clang() {
    compgen -c clang | grep -E '^clang(-[0-9]+)?$' | sort -rVu | head -1
}

# install_watched: the plain interpreter compiles for the one with ThreadSanitizer, which would take ten times as long,
# and lends it all packages but httptools.
install_watched() {
    local packages="lib/python${version}t/site-packages"
    local with=(CC="$clang -fsanitize=thread" LDSHARED="$clang -shared -fsanitize=thread" FASTWSGI_SANITIZE=thread)
    refresh_tree "$watched"
    ! is_fresh "$watched" || return 0
    if [[ ! -e $watched/venv/$packages/httptools ]]; then
        "$watched/python/bin/python$version" -m venv --without-pip "$watched/venv"
        printf '%s\n' "$watched/fastwsgi" "$plain/venv/$packages" > "$watched/venv/$packages/packages.pth"
        # Without pip's cache, which would take one wheel for the other
        env "${with[@]}" "$plain/venv/bin/python" -m pip --disable-pip-version-check -q install --no-cache-dir --no-deps \
            --no-build-isolation --no-binary httptools --target "$watched/venv/$packages" httptools
    fi
    (cd "$watched/fastwsgi" && env "${with[@]}" "$plain/venv/bin/python" setup.py -q build_ext --inplace)
    touch "$watched/installed"
}

# run_tests PLACE [ARGUMENT...]
run_tests() {
    "$1/venv/bin/python" -VV
    (cd "$1/fastwsgi" && exec env PYTHON_GIL=0 "$1/venv/bin/python" -m pytest -q "${@:2}")
}

# seek_circles [TEST...]: two locks that are taken in both orders are a failure. In the pure build all can be seen.
seek_circles() {
    local notes=$plain/locks tests=passed circles=none
    [[ $# -gt 0 ]] || set -- tests/server tests/{observe,process}/test_loops.py tests/process/test_{c_calls,hung,recycle}.py
    rm -rf "$notes"
    mkdir "$notes"
    LOCK_ORDER=$notes PYTHONPATH=$PWD/ci/locks FASTWSGI_BACKEND=py run_tests "$plain" -p forget_locks "$@" ||
        tests=FAILED
    "$python" ci/lock_order.py "$notes" || circles=FOUND
    echo "in the pure build: tests $tests; locks taken in both orders: $circles"
    [[ $tests == passed && $circles == none ]]
}

# seek_races [TEST...]: whatever the tests say themselves, a report of our code is a failure, too.
seek_races() {
    local reports=$watched/reports tests=passed races=none
    [[ $# -gt 0 ]] || set -- tests/server/test_{loops,going_objects,threads,threaded_streams,monitor,keeper}.py \
        tests/server/test_{watchdog,left_queue,loop_lost}.py tests/http/test_{expired,expired_gaps}.py \
        tests/{process,observe}/test_loops.py
    rm -rf "$reports"
    mkdir "$reports"
    cat "$watched"/python/tsan/*.txt ci/races.supp > "$scratch/suppressions"
    TSAN_OPTIONS="log_path=$reports/of exitcode=0 history_size=4 suppressions=$scratch/suppressions" \
        run_tests "$watched" -o timeout=600 "$@" || tests=FAILED
    "$python" ci/races.py "$reports" || races=FOUND
    echo "under ThreadSanitizer: tests $tests; races in our code: $races"
    [[ $tests == passed && $races == none ]]
}

mode=--test
[[ ! ${1:-} =~ ^--(build|locks|races)$ ]] || { mode=$1; shift; }
version=3.13
[[ ! ${1:-} =~ ^3\.[0-9]+$ ]] || { version=$1; shift; }
plain=$kept/$version watched=$kept/$version-races
build_interpreter "$plain"
install
case $mode in
--test) run_tests "$plain" "$@" ;;
--locks) seek_circles "$@" ;;
--races)
    clang=$(newest_clang)
    build_interpreter "$watched" --with-thread-sanitizer CC="$clang"
    install_watched
    seek_races "$@"
    ;;
esac
