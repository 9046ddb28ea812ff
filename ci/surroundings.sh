#!/usr/bin/env bash
# Runs a command in surroundings that differ from the usual ones in as many ways as fit together:
#
#     ci/surroundings.sh bash ci/test.sh py
#
# in a copy of the work tree, compiled modules included, whose folder is named fastwsgi and stands in one with a blank in
# its name; as nobody, without a home, if root starts it and nobody can run the interpreter; with signals ignored and
# blocked, a tight umask and few descriptors; TMPDIR, language and time zone are others, and variables are set that
# configure servers, interpreters and clients.
. "$(dirname "$0")/common.sh"
odd="$scratch/odd surroundings"
tree="$odd/fastwsgi"
as=()

purelib() {
    "$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
}

# copy_venv: an interpreter for the copy, which takes the packages from ours and fastwsgi from beside it.
copy_venv() {
    local base
    base=$("$python" -c 'import sys; print(sys._base_executable)')
    "${BASE_PYTHON:-$base}" -m venv --without-pip "$tree/.venv"
    (cd "$tree"/.venv/lib/python*/site-packages && { echo "$tree"; purelib; } > packages.pth)
}

# become_nobody: sets the command that does, if it can.
become_nobody() {
    chmod 755 "$scratch"
    chown -R nobody: "$odd"
    as=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups)
    # By env: what setpriv itself executes is still looked up with root's rights
    if ! "${as[@]}" env "$tree/.venv/bin/python" -c 'import fastwsgi.backend, pytest' 2> "$scratch/why"; then
        echo "as root, for nobody cannot run $python: $(tail -1 "$scratch/why")"
        as=()
    fi
}

copy_tree "$tree"
find fastwsgi \( -name '*.so' -o -name _compiled_sources.json \) -exec cp --parents -t "$tree" {} +
copy_venv
mkdir "$odd/a b"
[[ $(id -u) != 0 ]] || become_nobody
language=C
[[ ! $(locale -a 2> /dev/null) =~ tr_TR.utf8 ]] || language=tr_TR.UTF-8
variables=(
    PYTHON="$tree/.venv/bin/python" TMPDIR="$odd/a b"
    HOME=/nonexistent LANG="$language" LC_ALL="$language" TZ=Asia/Tokyo
    COLUMNS=40 LINES=10 TERM=dumb FORCE_COLOR=1 PYTHON_COLORS=1 PYTEST_ADDOPTS=--color=no
    FASTWSGI_WORKERS=none FASTWSGI_BIND=nowhere:http WEB_CONCURRENCY=none PORT=none GUNICORN_CMD_ARGS=--none
    {http,https,all}_proxy=http://192.0.2.1:9 no_proxy= SSL_CERT_FILE=/nonexistent
    PYTHONSAFEPATH=1 PYTHONHASHSEED=1 PYTHONWARNINGS=default PYTHONDONTWRITEBYTECODE=1
)
cd "$tree"
umask 077
ulimit -Sn 256
"${as[@]}" env --ignore-signal=INT,HUP,TERM,PIPE --block-signal=USR1,ALRM "${variables[@]}" "$@" < /dev/null
