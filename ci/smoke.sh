#!/usr/bin/env bash
# The README's first command, as it stands there, in a clean copy; curl and wrk against what it serves.
. "$(dirname "$0")/common.sh"
command=$("$python" ci/readme.py 1)
echo "$command"
copy_tree "$scratch/clone"
(cd "$scratch/clone" && exec bash -c "$command" > "$scratch/install.log" 2> "$scratch/server.log") & server=$!
await_server 300
cat "$scratch/server.log"
try_demo "$url"
wrk -t1 -c16 -d2s --latency "$url/headers" | tee "$scratch/wrk.log"
if grep -E "Socket errors|Non-2xx" "$scratch/wrk.log"; then exit 1; fi
# bash may have become the server, or wait for it
if [[ $(ps -o comm= -p "$server") == bash ]]; then stop_server "$(pgrep -P "$server")"; else stop_server; fi
