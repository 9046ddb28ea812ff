#!/usr/bin/env python3
"""Looks for memory that grows with the number of requests: a million of each kind, by the resident size of a process.

    ci/leaks.py [KIND...] [--requests N] [--build c|py] [--bound KIB] [--loops N]

Most kinds run in one process with their clients (tests/isolated/leaks.py). "served" and "threads" are a server of its
own, asked by wrk: plain requests, and requests that sleep, so that each hands the loop over to another thread. What
counts is what is there after a tenth of the requests and at the end: more than 256 KiB between them, a descriptor, or
an object that only the cycle collector frees is a leak, and ends this with 1. The pure build takes a tenth of the
requests.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
IN_PROCESS = (
    *("hello", "pipelined", "browser", "vary", "post", "upload", "spooled", "continue", "head", "missing", "generator"),
    *("write", "file", "hints", "failing", "breach", "midway", "refused", "close", "left", "aborted", "reset"),
)
SERVED = {"served": 1, "threads": 32}  # threads
APPLICATION = """
import time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/threads":
        time.sleep(0.003)  # more than the two ticks after which the loop is handed over
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
MILLION = 1_000_000
BOUND = 256  # KiB
CACHED = 1000  # objects that the tables of the scanner may take up
LISTENING = re.compile(r"listening on http://([^,\s]+)")


def in_process(kind: str, build: str, requests: int, folder: Path) -> dict[str, Any]:
    """What has grown, with the clients in the process of the loop."""
    file = folder / "hello"
    file.write_bytes(b"hello")
    ran = subprocess.run(
        [sys.executable, ROOT / "tests/isolated/leaks.py", file, str(requests), kind],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FASTWSGI_BACKEND": build},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


@contextmanager
def server(build: str, folder: Path, options: list[str]) -> Iterator[tuple[int, str]]:
    """A server process: its id and its address."""
    (folder / "leaking.py").write_text(APPLICATION)
    command = [sys.executable, "-m", "fastwsgi", "leaking:app", "--bind", "127.0.0.1:0", *options]
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", "FASTWSGI_BACKEND": build}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stderr is not None
            found = next(filter(None, map(LISTENING.search, process.stderr)))
            yield process.pid, found[1]
        finally:
            process.terminate()


def served(kind: str, build: str, requests: int, folder: Path, loops: int) -> dict[str, Any]:
    """What has grown in a server that wrk asks."""
    threads = max(SERVED[kind], loops)
    with server(build, folder, [f"--threads={threads}", f"--loops={loops}"]) as (pid, address):
        done = ask(f"http://{address}/{kind}", requests // 10)
        before = size(pid)
        while done < requests:
            done += ask(f"http://{address}/{kind}", requests - done)
        after = size(pid)
    return {"requests": done, "garbage": 0, **{key: after[key] - before[key] for key in before}}


def ask(url: str, requests: int) -> int:
    """Have wrk send some *requests*, as many as it does in a few seconds: how many it were."""
    seconds = max(1, min(10, requests // 20_000))
    said = subprocess.run(
        ["wrk", "-t1", "-c64", f"-d{seconds}s", url], check=True, capture_output=True, text=True
    ).stdout
    failed = re.search(r"Socket errors|Non-2xx", said)
    found = re.search(r"([0-9]+) requests in", said)
    if failed or found is None:
        raise SystemExit(f"wrk says: {said}")
    return int(found[1])


def size(pid: int) -> dict[str, int]:
    """Resident bytes and descriptors, once the connections of the last round are gone."""
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    for _ in range(100):
        time.sleep(0.05)
        before, descriptors = descriptors, len(os.listdir(f"/proc/{pid}/fd"))
        if before == descriptors:
            break
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return {"resident": pages * os.sysconf("SC_PAGE_SIZE"), "descriptors": descriptors}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join((*IN_PROCESS, *SERVED)))
    parser.add_argument("--requests", type=int, default=MILLION, help=f"of each kind ({MILLION})")
    parser.add_argument("--build", choices=("c", "py"), help="only this one")
    parser.add_argument("--bound", type=int, default=BOUND, help=f"KiB that may be there more ({BOUND})")
    parser.add_argument("--loops", type=int, default=0, help="of a server, on a Python without a GIL")
    options = parser.parse_args()
    unknown = set(options.kinds) - {*IN_PROCESS, *SERVED}
    if unknown:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    leaks = 0
    print("build  kind          requests    KiB  objects  descriptors  garbage  seconds")
    for build in [options.build] if options.build else ["c", "py"]:
        for kind in options.kinds or (*IN_PROCESS, *SERVED):
            requests = options.requests if build == "c" else options.requests // 10
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                if kind in SERVED:
                    grown = served(kind, build, requests, Path(folder), options.loops)
                else:
                    grown = in_process(kind, build, requests, Path(folder))
            kib, objects = grown["resident"] / 1024, grown.get("blocks", 0)
            leaked = kib > options.bound or objects > max(CACHED, requests / 100)
            leaked = leaked or grown["descriptors"] > 0 or grown["garbage"] > 0
            leaks += leaked
            figures = f"{grown['requests']:8} {kib:6.0f} {objects:8} {grown['descriptors']:12} {grown['garbage']:8}"
            seconds = time.monotonic() - began
            print(f"{build:6} {kind:12} {figures} {seconds:8.0f}{'  LEAK' if leaked else ''}", flush=True)
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())
