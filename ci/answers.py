#!/usr/bin/env python3
"""Asks a server of its own many questions on many connections, and compares each answer with the one that is due.

    ci/answers.py                             10 million requests to one worker of four threads
    ci/answers.py --quick                     200,000
    ci/answers.py --python .venv3.14t/bin/python --threads 4 --loops 4
    ci/answers.py --workers 2 --build py --requests 1000000

Requests differ in everything: path, query, fields, body. Each answer is known in advance, byte for byte but for its
date, which must be that of the time. Requests are pipelined, split, small and large, with bodies and chunks; answers
are lists, generators, write(), files and failures; some calls block, some compute; connections are new, closed by
either side, cut and reset; somebody looks at the figures and stacks, and has the logs opened anew. In the end the
server's own accounts must agree with those of the clients: one line in the access log for each request, the figures of
the status page, descriptors and memory. The exit code is 1 if not.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ci.answering.accounts import LOG_FORMAT, Figures, check_errors, check_log
from ci.answering.talking import talk
from ci.answering.watching import Operators
from tests.helpers.pki import Authority

ROOT = Path(__file__).resolve().parents[1]
LONG, SHORT = 10_000_000, 200_000
BOUND = 16384  # KiB: two bytes for each request of the long form
WARMING = 5  # the part of the requests, one in so many, after which memory should not grow any more
LISTENING = re.compile(r"listening on https?://([0-9.]+):([0-9]+)")
STATUS = re.compile(r"status on (http://[0-9.:]+)")


class Server:
    """The server in its own process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, access: Path) -> None:
        self.process = process
        self.log = log
        self.access = access
        listening, status = self.says(LISTENING), self.says(STATUS)
        self.address = listening[1], int(listening[2])
        self.figures = Figures(status[1], process.pid)

    def says(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Wait for a line of its error log."""
        for _ in range(300):
            found = pattern.search(self.log.read_text())
            if found is not None:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"the server did not start:\n{self.log.read_text()}")


@contextmanager
def serving(options: argparse.Namespace, folder: Path) -> Iterator[Server]:
    """A server of the application, ended in the end."""
    shape = [f"--workers={options.workers}", f"--threads={options.threads}"]
    shape += [f"--loops={options.loops}"] if options.loops else []
    access, log = folder / "access.log", folder / "error.log"
    logs = [f"--access-logfile={access}", f"--access-log-format={LOG_FORMAT}"]
    binds = ["--bind=127.0.0.1:0", "--status-bind=127.0.0.1:0"]
    if options.tls:
        certificate, key = Authority(folder).sign("server", "/CN=localhost", "subjectAltName=DNS:localhost")
        binds += [f"--certfile={certificate}", f"--keyfile={key}"]
    python = os.path.abspath(options.python)  # not where a link leads: a venv is found by it
    command = [python, "-m", "fastwsgi", "ci.answering.application:app", *binds, *shape, *logs]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "ANSWERS_THREADS": str(options.threads)}
    if options.build:
        environ["FASTWSGI_BACKEND"] = options.build
    with log.open("wb") as errors, subprocess.Popen(command, env=environ, stderr=errors, cwd=folder) as process:
        try:
            server = Server(process, log, access)
            print(next(line for line in log.read_text().splitlines() if "listening on" in line), flush=True)
            yield server
        finally:
            process.terminate()


class Run:
    """The clients, and what they have found."""

    def __init__(self, options: argparse.Namespace, server: Server) -> None:
        self.options = options
        self.server = server
        self.fates = bytearray()
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def ask(self, count: int) -> None:
        """Ask *count* more, in as many processes as are wanted."""
        clients = self.options.clients
        bounds = [len(self.fates) + count * number // clients for number in range(clients + 1)]
        with ProcessPoolExecutor(clients) as pool:
            how = self.options.connections // clients, self.options.tls
            ranges = [range(start, stop) for start, stop in zip(bounds, bounds[1:])]
            for one in [pool.submit(talk, self.server.address, numbers, *how) for numbers in ranges]:
                found = one.result()
                self.fates += found["fates"]
                self.counts += found["counts"]
                self.faults += [found["wrong"]] if found["wrong"] else []

    def check(self) -> None:
        """Ask all, and hold the server's accounts to those of the clients."""
        began = time.monotonic()
        self.ask(self.options.requests // WARMING)
        if not self.faults:
            before, descriptors = self.server.figures.size()
            with Operators(self.server.figures.status, self.server.process.pid) as operators:
                self.ask(self.options.requests - len(self.fates))
            self.faults += operators.faults
        seconds = time.monotonic() - began
        print(f"{self.counts['sure']} answers compared, {self.counts['maybe']} cut, in {seconds:.0f} s", flush=True)
        print("    " + ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items())), flush=True)
        if self.server.process.poll() is not None:
            self.faults.append(f"the server has ended with {self.server.process.poll()}")
        elif not self.faults:
            self.faults += self.server.figures.check(self.counts)
            after, left = self.server.figures.size()
            grown = (after - before) / 1024
            print(f"memory {after / 1024:.0f} KiB, {grown:+.0f} since the first {self.options.requests // WARMING}")
            if grown > self.options.bound:
                self.faults.append(f"memory has grown by {grown:.0f} KiB")
            if left > descriptors:
                self.faults.append(f"{left} descriptors, {descriptors} before")

    def check_logs(self) -> None:
        """Those of the server that has ended."""
        if not self.faults:
            self.faults += check_log(self.server.access, self.fates)
        with self.server.log.open() as lines:
            self.faults += check_errors(lines, self.counts["sure raised"], self.counts["maybe raised"])
        if self.server.process.returncode != 0:
            self.faults.append(f"exit code {self.server.process.returncode}: {self.server.log.read_text()[-2000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=0, help=f"in all ({LONG})")
    parser.add_argument("--quick", action="store_true", help=f"{SHORT} requests")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that serves, with fastwsgi in it")
    parser.add_argument("--build", choices=("c", "py"), help="which build serves")
    parser.add_argument("--workers", type=int, default=1, help="(1)")
    parser.add_argument("--threads", type=int, default=4, help="of each worker (4)")
    parser.add_argument("--loops", type=int, default=0, help="of each worker; as the server has it, if not given")
    parser.add_argument("--tls", action="store_true", help="encrypted")
    parser.add_argument("--connections", type=int, default=32, help="at a time (32)")
    parser.add_argument("--clients", type=int, default=2, help="processes that ask (2)")
    parser.add_argument("--bound", type=int, default=BOUND, help=f"KiB of more memory in the end ({BOUND})")
    options = parser.parse_args()
    options.requests = options.requests or (SHORT if options.quick else LONG)
    with tempfile.TemporaryDirectory() as folder:
        with serving(options, Path(folder)) as server:
            run = Run(options, server)
            run.check()
        run.check_logs()
    for fault in run.faults:
        print(f"WRONG: {fault}")
    print("all answers are those that are due, and all accounts agree" if not run.faults else "FAILED", flush=True)
    return 1 if run.faults else 0


if __name__ == "__main__":
    sys.exit(main())
