"""How many workers and threads: what one machine answers with some of each, for an application that computes or waits.

    python benchmarks/sizing.py

The server has all cores; the client, wrk, takes little of them, since each request computes for 5 ms, or for 1 ms and
waits for 20. The table goes into docs/workers-and-threads.md by hand.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launch import await_ready, free_port
from options import wrk
from run import require

SIZES = ((1, 1), (1, 4), (1, 16), (2, 1), (2, 4), (2, 16), (4, 1), (4, 4))
CONNECTIONS = 32
APP = """
import time

def compute(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass

def app(environ, start_response):
    if environ["PATH_INFO"] == "/waits":
        compute(0.001)
        time.sleep(0.020)
    else:
        compute(0.005)
    start_response("200 OK", [])
    return [b"done"]
"""


@contextmanager
def serving(folder: str, workers: int, threads: int) -> Iterator[int]:
    """A server of that size; its port."""
    port = free_port()
    command = [sys.executable, "-m", "fastwsgi", "sized:app", "-b", f"127.0.0.1:{port}", "-w", str(workers),
               "--threads", str(threads)]  # fmt: skip
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        try:
            await_ready(process, port, output)
            time.sleep(0.2 * workers)  # until the other workers serve, too
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (default: %(default)s)")
    options = parser.parse_args()
    require({"wrk"})
    print(f"{os.cpu_count()} cores, {CONNECTIONS} clients\n")
    print("| workers x threads | computes 5 ms: requests/s | p99 ms | waits 20 ms: requests/s | p99 ms |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sized.py").write_text(APP)
        for workers, threads in SIZES:
            row = [f"{workers} x {threads}"]
            with serving(folder, workers, threads) as port:
                for path in ("/computes", "/waits"):
                    load = wrk(port, path, CONNECTIONS, options.seconds)
                    row += [f"{load.requests / load.seconds:.0f}", f"{load.p99_ms:.0f}"]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
