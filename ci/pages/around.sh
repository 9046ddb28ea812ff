# Read by bash before the script of a page: `serve`, which starts a server and returns once it takes requests, and
# `expect`. The server ends before the next one starts, and with the page.
# shellcheck shell=bash
unset BASH_ENV
set -Eeuo pipefail
server=

serve() {
    stop_server
    printf '%s\0' "$@" > "$AROUND/command"
    python "$SERVE" "$AROUND" <&- & server=$!
    local word=
    read -r word < "$AROUND/ready" || true
    [[ $word == ready ]] || { wait "$server" || true; server=; echo "it ended before it served"; return 1; }
}

# 247 is pserve --reload: it kills a worker that takes a second to end, which its own thread there may do.
stop_server() {
    [[ -n $server ]] || return 0
    local code=0
    kill -TERM "$server" 2> /dev/null || true
    wait "$server" || code=$?
    server=
    [[ $code == 0 || $code == 143 || $code == 247 ]] || { echo "the server ended with $code"; return 1; }
}

# expect CODE COMMAND...: a command that is to fail
expect() {
    local code=0
    "${@:2}" || code=$?
    [[ $code == "$1" ]] || { echo "exit code $code instead of $1"; return 1; }
}

ended() {
    local code=$?
    trap - EXIT ERR
    stop_server || [[ $code != 0 ]] || code=1
    exit "$code"
}
trap ended EXIT
trap 'echo "$0: line $LINENO: exit code $?"' ERR
