#!/usr/bin/env bash
# The whole test suite on a build with AddressSanitizer, UndefinedBehaviorSanitizer and assertions, made in a copy.
#
#     ci/sanitize.sh [ARGUMENT...]    the arguments go to pytest
#     ci/sanitize.sh --leaks          LeakSanitizer, after ten thousand inputs of the fuzzers' targets and a loop on sockets
#     ci/sanitize.sh --planted        with two buffers made too short and one never given back: all must be seen
#
# Tests that measure memory run by themselves, for what is freed is kept for a while, to see whether it is used.
. "$(dirname "$0")/common.sh"

# build: the interpreter with the sanitizers in it takes the place of that of .venv.
build() {
    "${BASE_PYTHON:-python3}" -m venv .venv
    .venv/bin/pip install -q -r ci/requirements.txt
    FASTWSGI_REQUIRE_EXT=1 FASTWSGI_SANITIZE=1 .venv/bin/pip install -q -e '.[test]'
    local flags
    mapfile -t flags < <(.venv/bin/python - <<'PYTHON'
import sysconfig
said = sysconfig.get_config_vars()
where = [f"-I{said['INCLUDEPY']}", f"-L{said['LIBDIR']}", f"-L{said['LIBPL']}", f"-Wl,-rpath,{said['LIBDIR']}"]
print(*where, f"-lpython{said['LDVERSION']}", *said["LIBS"].split(), *said["SYSLIBS"].split(), sep="\n")
PYTHON
    )
    gcc -g -fsanitize=address,undefined ci/sanitized_python.c -o "$scratch/python" "${flags[@]}"
    rm .venv/bin/python3
    mv "$scratch/python" .venv/bin/python3
}

# run_pytest: of the tests that are named, none may be of the kind that is wanted: pytest says 5.
run_pytest() {
    .venv/bin/python -m pytest -q -o timeout=300 "$@" || [[ $? == 5 ]]
}

# seek_leaks: runs a script; what is allocated at its end and referred to by nobody is reported, and makes it fail.
seek_leaks() {
    ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0 FASTWSGI_BACKEND=c .venv/bin/python "$@"
}

# must_fail WORDS COMMAND...: the command fails, and says why.
must_fail() {
    if "${@:2}" > "$scratch/planted.log" 2>&1 || ! grep -m 1 "$1" "$scratch/planted.log"; then
        cat "$scratch/planted.log"
        echo "not seen: $1"
        exit 1
    fi
}

copy_tree "$scratch/tree"
cd "$scratch/tree"
export PYTHONMALLOC=malloc  # each object is an allocation that the sanitizer sees
export UBSAN_OPTIONS=print_stacktrace=1
case ${1:-} in
--planted)
    sed -i 's/PyMem_Free(self.data)/pass/' fastwsgi/http/_inbox_c.pyx
    sed -i 's/cdef char buffer\[MAX_NAME + 5\]/cdef char buffer[8]/' fastwsgi/http/_lines_c.pyx
    sed -i 's/PyMem_Malloc(INITIAL)/PyMem_Malloc(100)/' fastwsgi/http/_outbox_c.pyx
    build
    must_fail "index 8 out of bounds" .venv/bin/python ci/fuzz.py heads --cases 100 --seed 1
    must_fail "heap-buffer-overflow" .venv/bin/python ci/fuzz.py serializer --cases 100 --seed 1
    must_fail "byte(s) leaked" seek_leaks ci/fuzz.py chunks --cases 100 --seed 1
    ;;
--leaks)
    build
    echo hello > "$scratch/hello"
    seek_leaks ci/fuzz.py --cases 2000 --seed 1
    kinds=(hello browser vary post upload spooled continue head missing generator write file hints)
    kinds+=(failing breach midway refused close left aborted reset)
    PYTHONPATH=. seek_leaks tests/isolated/leaks.py "$scratch/hello" few "${kinds[@]}"
    ;;
*)
    build
    run_pytest -m "not measures_memory" "$@"
    ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=64 run_pytest -m measures_memory "$@"
    ;;
esac
