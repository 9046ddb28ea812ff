"""What a supervisor costs beside a single process: memory of all processes, and the time to the first answer.

    python benchmarks/supervisor.py
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

SERVE = "import fastwsgi, fastwsgi.demo; fastwsgi.serve(fastwsgi.demo.app, '127.0.0.1:{port}', log_level='error'{more})"
KINDS = {"a single process": "", "with a supervisor": ", max_requests=10**9"}  # which needs one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="starts of each (default: %(default)s)")
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for _ in range(options.rounds):
        for kind, more in KINDS.items():
            found[kind].append(start(more))
    print("| | PSS of all processes, MB | first answer after, ms |\n| --- | --- | --- |")
    for kind, values in found.items():
        memory, seconds = (median(column) for column in zip(*values))
        print(f"| {kind} | {memory / 1e6:.1f} | {seconds * 1000:.0f} |")


def start(more: str) -> tuple[float, float]:
    """Start a server and end it: bytes when it has answered, and seconds until then."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", SERVE.format(port=port, more=more)]) as process:
        while not answers(port):
            time.sleep(0.001)
        seconds = time.monotonic() - began
        memory = sum(pss(pid) for pid in (process.pid, *children(process.pid)))
        process.terminate()
    return memory, seconds


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n")
            return client.recv(9) == b"HTTP/1.1 "
    except OSError:
        return False


def pss(pid: int) -> float:
    """Bytes of memory, those that processes share divided among them."""
    match = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


if __name__ == "__main__":
    os.environ.pop("PORT", None)
    main()
