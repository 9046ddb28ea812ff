#!/usr/bin/env bash
# Compiles all C, the generated one included, for systems that are not at hand: macOS and musl, on both processors, with
# zig's compiler, which brings the headers of all of them, from PyPI (100 MB). It says nothing of how it runs there.
#
#     bash ci/targets.sh [TARGET...]    # such as aarch64-macos
. "$(dirname "$0")/common.sh"
targets=("$@")
[[ $# != 0 ]] || targets=({x86_64,aarch64}-{macos,linux-musl})
export ZIG_GLOBAL_CACHE_DIR=$scratch/zig ZIG_LOCAL_CACHE_DIR=$scratch/zig

"$python" -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q ziglang
copy_tree "$scratch/tree"
(cd "$scratch/tree" && "$python" -c '
import runpy, sys
sys.argv = ["setup.py", "--quiet", "--name"]
runpy.run_path("setup.py")["translate"]()') > "$scratch/translated" 2>&1 || { cat "$scratch/translated"; exit 1; }
# Python's headers, for a macOS that does not hide its own functions behind POSIX
cp -r "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')" "$scratch/include"
sed -i -E '/^#define (_POSIX_C_SOURCE|_XOPEN_SOURCE|_XOPEN_SOURCE_EXTENDED) /d' "$scratch/include/pyconfig.h"

for target in "${targets[@]}"; do
    mkdir "$scratch/$target"
    find "$scratch/tree/build/cython" -name '*.c' -print0 |
        xargs -0 -P "$(nproc)" -I{} sh -c '"$0" -m ziglang cc -target "$1" -I"$2" -D_DARWIN_C_SOURCE -Wall -Werror \
            -Wno-unused-function -Wno-unreachable-code -c "$4" -o "$3/$(basename "$4").o"' \
            "$scratch/venv/bin/python" "$target" "$scratch/include" "$scratch/$target" {}
    echo "$target: $(find "$scratch/$target" -name '*.o' | wc -l) files compiled"
done
