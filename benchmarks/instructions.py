"""Instructions per request: a figure that a noisy machine cannot blur.

One connection over a socket pair is served in this process under `valgrind --tool=callgrind`; the difference between
many and few requests, divided, repeats to the instruction. What the client's side costs is measured alike and taken
off. Where an object of a request is the first of its page of memory, that page is taken and given back with each
request, 100 to 500 instructions, and what is where changes with the length of a folder's name. So each figure is the
least of three, with a heap that begins differently. The committed figures stand in instructions.json; a figure more
than 5 % above them is a failure.

    python benchmarks/instructions.py             print and compare
    python benchmarks/instructions.py --update    write instructions.json
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Callable

import apps
from profiles import BROWSER_FIELDS, PAGE_FIELDS

COMMITTED = Path(__file__).with_name("instructions.json")
FEW, MANY = 500, 2500  # requests
TOLERANCE = 1.05
HEAPS = (0, 1, 2)
BUILDS = ("c", "py")
PURE_PROFILES = ("hello", "browser", "access")  # under valgrind the pure build takes its time

FORMATS = {"access": "combined", "access-json": "json"}  # of the access log
GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"


def fields(named: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in named.items()).encode()


def vary(number: int) -> bytes:
    return GET + fields(PAGE_FIELDS) + (
        b"Cookie: session=%016x; theme=dark\r\nReferer: https://www.example.org/page/%d\r\nX-Request-Id: %032x\r\n\r\n"
        % (number * 2654435761, number, number * 40503)
    )


# profile -> (application, the bytes of request number n, requests in them)
PROFILES: dict[str, tuple[Callable[..., Any], Callable[[int], bytes], int]] = {
    "hello": (apps.hello, lambda number: GET + b"\r\n", 1),
    "browser": (apps.hello, lambda number: GET + fields(BROWSER_FIELDS) + b"\r\n", 1),
    "vary": (apps.hello, vary, 1),
    "pipeline": (apps.hello, lambda number: (GET + b"\r\n") * 16, 16),
    "post": (apps.post, lambda number: GET.replace(b"GET", b"POST") + b"Content-Length: 1024\r\n\r\n" + b"x" * 1024, 1),
    "stream": (apps.stream, lambda number: GET + b"\r\n", 1),
    "access": (apps.hello, lambda number: GET + b"\r\n", 1),  # hello with the access log on, to a file
    "access-json": (apps.hello, lambda number: GET + b"\r\n", 1),
}


def fill(heap: int) -> list[bytes]:
    """Objects of all sizes of the small ones, another number for each *heap*, which shift what comes after them."""
    return [bytes(size) for size in range(0, 480, 16) for _ in range(heap * (5 + size // 48))]


def serve(build: str, profile: str, rounds: int, heap: int) -> None:
    """Serve *rounds* writes of *profile* on a socket pair; the build "none" has the client's side alone."""
    held = fill(heap)
    app, request, _ = PROFILES[profile]
    requests = [request(number) for number in range(rounds)]
    client, served = socket.socketpair()
    source = sink = client.fileno()
    on_ready: Callable[[], Any] = int  # does nothing
    if build == "none":
        source, sink = os.open("/dev/zero", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)
    else:
        logs = make_logs(build, FORMATS.get(profile))
        on_ready = connect(build, app, served, logs.observer)
    answer = b""
    room = 65536 if profile == "stream" else 4096  # bytes of a response, all of which must be read
    for data in requests:
        os.write(sink, data)
        on_ready()
        answer = os.read(source, room)
    if build != "none":
        logs.close()
    del held
    if build != "none" and not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
        raise SystemExit(f"wrong answer: {answer!r}")


def make_logs(build: str, format: str | None) -> Any:
    """No logs, or an access log of that *format* in a file that is gone already."""
    from fastwsgi import backend
    from fastwsgi.observe.logs import Logs
    from fastwsgi.settings.settings import Settings

    with tempfile.NamedTemporaryFile() as file:
        settings = Settings(access_logfile=file.name if format else None, access_log_format=format or "combined")
        return Logs(settings, backend.build(build))


def connect(build: str, app: Callable[..., Any], served: socket.socket, observer: Any) -> Any:
    """A connection of a loop that nobody runs: what to call when bytes have come."""
    from fastwsgi import backend
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings

    modules = backend.build(build)
    loop = Loop(modules, app, Settings(threads=1), lambda message, error: print(message, error), None, observer)
    loop.service.now += 3600  # as in a loop that runs, where no request was there before the last one ended
    listener = socket.create_server(("127.0.0.1", 0))
    loop.add_listener(listener)
    served.setblocking(False)
    return loop.acceptor.listeners[listener.fileno()].open(served.fileno(), "127.0.0.1", "50000").on_ready


def count(build: str, profile: str, rounds: int, heap: int) -> int:
    """Instructions of a whole process that serves *rounds* writes."""
    with tempfile.NamedTemporaryFile() as out:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", sys.executable, __file__,
                   "--serve", build, profile, str(rounds), str(heap)]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return int(found.group(1))


@cache
def per_request(build: str, profile: str) -> float:
    """Instructions of one request, those of the client's side included."""
    least = min(count(build, profile, MANY, heap) - count(build, profile, FEW, heap) for heap in HEAPS)
    return least / (MANY - FEW) / PROFILES[profile][2]


def measure(build: str, profile: str) -> int:
    """Instructions of one request on the server's side."""
    return round(per_request(build, profile) - per_request("none", profile))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the figures to instructions.json")
    parser.add_argument("--profiles", default=",".join(PROFILES), help="some of: %(default)s")
    parser.add_argument("--builds", default=",".join(BUILDS))
    parser.add_argument("--serve", nargs=4, metavar=("BUILD", "PROFILE", "ROUNDS", "HEAP"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        build, profile, rounds, heap = arguments.serve
        serve(build, profile, int(rounds), int(heap))
        return 0
    committed = json.loads(COMMITTED.read_text()) if COMMITTED.exists() else {}
    worse = []
    for build in arguments.builds.split(","):
        for profile in arguments.profiles.split(","):
            if build == "py" and profile not in PURE_PROFILES:
                continue
            figure = measure(build, profile)
            before = committed.get(build, {}).get(profile)
            print(f"{build:3} {profile:9} {figure:7} instructions a request, committed {before}", flush=True)
            if before is not None and figure > before * TOLERANCE:
                worse.append(f"{build} {profile}: {figure} > {TOLERANCE} x {before}")
            committed.setdefault(build, {})[profile] = figure
    if arguments.update:
        COMMITTED.write_text(json.dumps(committed, indent=1) + "\n")
        return 0
    for line in worse:
        print(f"more instructions than committed: {line}")
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
