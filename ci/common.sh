# Sourced by the scripts here: they run in the root of the repository, with the interpreter of .venv (or $PYTHON).
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-$PWD/.venv/bin/python}
server=

clean_up() {
    [[ -z $server ]] || kill -TERM "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
scratch=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM

# copy_tree DIR: the work tree as a clean clone would have it, with what is not committed yet.
copy_tree() {
    local path
    mkdir -p "$1"
    git ls-files -coz --exclude-standard |
        while IFS= read -r -d '' path; do [[ ! -e $path ]] || printf '%s\0' "$path"; done |
        tar --null -T - -c | tar -x -C "$1"
}

# await_server SECONDS: wait until $server, which writes to $scratch/server.log, says where it listens; sets url.
await_server() {
    local tenths
    touch "$scratch/server.log"  # whoever is to write it may not have begun
    for ((tenths = 0; tenths < $1 * 10; tenths++)); do
        url=$(sed -n 's/^.* listening on \(http:[^,]*\).*/\1/p' "$scratch/server.log")
        [[ -z $url ]] || return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    echo "the server did not start:"
    cat "$scratch/server.log"
    return 1
}

# stop_server [PID]: end the server (or that child of it) with SIGTERM; it must say 0.
stop_server() {
    kill -TERM "${1:-$server}"
    wait "$server"
    server=
}

# try_demo URL: a few requests to fastwsgi.demo, by curl.
try_demo() {
    curl -fsS "$1/" | grep "It works" > /dev/null
    curl -fsS "$1/headers" -H "X-Answer: 42" | grep '"X-Answer": "42"' > /dev/null
    curl -fsS "$1/echo" -d "there and back" | grep "there and back" > /dev/null
    curl -fsS "$1/echo" -H "Transfer-Encoding: chunked" -d "in chunks" | grep "in chunks" > /dev/null
    curl -fsS "$1/stream" | tail -1 | grep "line 20 of 20" > /dev/null
    curl -fsS "$1/file" | cmp - fastwsgi/demo.py
    [[ $(curl -fsS "$1/big" | wc -c) == 100000000 ]]
    [[ $(curl -sS -o /dev/null -w '%{http_code}' "$1/error") == 500 ]]
}

# distributions TREE DIR: the sdist and wheel of TREE. The same tree gives the same bytes, if no profile is used: all files
# are of the last commit's time, the sdist is packed again, which setuptools does not care for.
distributions() {
    local sdist epoch
    epoch=$(git log -1 --format=%ct)
    SOURCE_DATE_EPOCH=$epoch "$python" -W error::DeprecationWarning -m build "$1" --outdir "$2" || return
    "$python" ci/sbom.py "$2"/*.whl || return
    sdist=$(echo "$2"/*.tar.gz)
    mkdir "$2/packed"
    tar -xf "$sdist" -C "$2/packed"
    tar --sort=name --format=ustar --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
        -c -C "$2/packed" "$(basename "$sdist" .tar.gz)" | gzip -9n > "$sdist"
    rm -r "$2/packed"
}
