"""Instructions per request: a figure that a noisy machine cannot blur.

Connections are served in this process under `valgrind --tool=callgrind`: one over a socket pair, without a loop; or
several in each step of a loop, over socket pairs or, in `close`, from a listener. The difference between many and few
requests, divided, repeats to the instruction. What the client's side costs is measured alike and taken
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
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Callable

import apps
from profiles import BROWSER_FIELDS, PAGE_FIELDS, static_folder

COMMITTED = Path(__file__).with_name("instructions.json")
FEW, MANY = 500, 2500  # requests
TOLERANCE = 1.05
HEAPS = (0, 1, 2)
BUILDS = ("c", "py")
PURE_PROFILES = ("hello", "browser", "access", "alone", "batch", "close")  # the pure build takes its time

GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"


def fields(named: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in named.items()).encode()


def vary(number: int) -> bytes:
    return GET + fields(PAGE_FIELDS) + (
        b"Cookie: session=%016x; theme=dark\r\nReferer: https://www.example.org/page/%d\r\nX-Request-Id: %032x\r\n\r\n"
        % (number * 2654435761, number, number * 40503)
    )


@dataclass(frozen=True)
class Profile:
    """One kind of load.

    app: the application; request: makes the bytes of write number n; pipelined: requests in them; log: the format of
    the access log, to a file; room: bytes of a response, all of which must be read; connections: how many are ready in
    each step of a loop, where 0 calls on_ready() of the only one, without a loop; closes: each request has its own;
    sends_files: the server answers by itself for /static.
    """

    app: Callable[..., Any]
    request: Callable[[int], bytes] = lambda number: GET + b"\r\n"
    pipelined: int = 1
    log: str = ""
    room: int = 4096
    connections: int = 0
    closes: bool = False
    sends_files: bool = False

    @property
    def round(self) -> int:
        """Requests answered between two looks at the clients."""
        return self.pipelined * max(1, self.connections)


PROFILES = {
    "hello": Profile(apps.hello),
    "browser": Profile(apps.hello, lambda number: GET + fields(BROWSER_FIELDS) + b"\r\n"),
    "vary": Profile(apps.hello, vary),
    "pipeline": Profile(apps.hello, lambda number: (GET + b"\r\n") * 16, pipelined=16),
    "post": Profile(
        apps.post, lambda number: GET.replace(b"GET", b"POST") + b"Content-Length: 1024\r\n\r\n" + b"x" * 1024
    ),
    "stream": Profile(apps.stream, room=65536),
    "body64k": Profile(apps.body64k, room=69632),
    "static": Profile(
        apps.hello, lambda number: GET.replace(b"/", b"/static/1024.bin", 1) + b"\r\n", sends_files=True
    ),
    "access": Profile(apps.hello, log="combined"),
    "access-json": Profile(apps.hello, log="json"),
    "alone": Profile(apps.hello, connections=1),
    "batch": Profile(apps.hello, connections=32),
    "close": Profile(
        apps.hello, lambda number: GET + b"Connection: close\r\n\r\n", connections=8, closes=True
    ),
}


def fill(heap: int) -> list[bytes]:
    """Objects of all sizes of the small ones, another number for each *heap*, which shift what comes after them."""
    return [bytes(size) for size in range(0, 480, 16) for _ in range(heap * (5 + size // 48))]


def serve(build: str, profile: str, rounds: int, heap: int) -> None:
    """Serve *rounds* of writes of *profile*; the build "none" has the client's side alone."""
    from fastwsgi.http import waits

    waits.SHORT_WAIT = float("inf")  # under valgrind those behind others of their step would wait so long
    held = fill(heap)
    kind = PROFILES[profile]
    requests = [kind.request(number) for number in range(rounds)]
    way = serve_one if kind.connections == 0 else serve_new if kind.closes else serve_kept
    if build == "none":
        way(kind, requests, None)
        return
    logs = make_logs(build, kind.log)
    answer = way(kind, requests, make_loop(build, kind, logs.for_loop().observer))
    logs.close()
    del held
    if not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
        raise SystemExit(f"wrong answer: {answer!r}")


def nobody() -> tuple[int, int]:
    """Where the client's side alone reads, and where it writes."""
    return os.open("/dev/zero", os.O_RDONLY), os.open("/dev/null", os.O_WRONLY)


def serve_one(kind: Profile, requests: list[bytes], loop: Any) -> bytes:
    """One connection over a socket pair, whose on_ready() is called."""
    client, served = socket.socketpair()
    source = sink = client.fileno()
    on_ready: Callable[[], Any] = int  # does nothing
    if loop is None:
        source, sink = nobody()
    else:
        loop.service.now += 3600  # as in a loop that runs, where no request was there before the last one ended
        on_ready = connect(loop, served).on_ready
    answer, room = b"", kind.room
    for data in requests:
        os.write(sink, data)
        on_ready()
        answer = os.read(source, room)
    return answer


def serve_kept(kind: Profile, requests: list[bytes], loop: Any) -> bytes:
    """Connections over socket pairs, all of which are ready in each step of the loop."""
    pairs = [socket.socketpair() for _ in range(kind.connections)]
    ends = [(client.fileno(), client.fileno()) for client, _ in pairs]
    step: Callable[[float], Any] = float  # does nothing
    if loop is None:
        ends = [nobody()] * kind.connections
    else:
        for _, served in pairs:
            connect(loop, served).on_ready()  # nothing has come: the poller watches it from now on
        step = loop.step
    answer, room = b"", kind.room
    for data in requests:
        for _, sink in ends:
            os.write(sink, data)
        step(1.0)
        for source, _ in ends:
            answer = os.read(source, room)
    return answer


def serve_new(kind: Profile, requests: list[bytes], loop: Any) -> bytes:
    """A TCP connection for each request; those of one round wait in the backlog before the loop's step."""
    type, address = socket.SOCK_STREAM, ("127.0.0.1", 9)
    source, sink = nobody()
    served, all_served = 0, int  # does nothing
    if loop is None:
        type = socket.SOCK_DGRAM  # costs the client as much, and nobody need accept it
    else:
        (listener,) = loop.acceptor.listeners.values()
        address = listener.socket.getsockname()

        def all_served() -> None:
            while loop.requests < served:
                loop.step(1.0)

    answer, room = b"", kind.room
    for data in requests:
        clients = [socket.socket(socket.AF_INET, type) for _ in range(kind.connections)]
        for client in clients:
            client.connect(address)
            os.write(sink if loop is None else client.fileno(), data)
        served += len(clients)
        all_served()
        for client in clients:
            answer = os.read(source if loop is None else client.fileno(), room)
            client.close()
    return answer


def make_logs(build: str, format: str) -> Any:
    """No logs, or an access log of that *format* in a file that is gone already."""
    from fastwsgi import backend
    from fastwsgi.observe.logs import Logs
    from fastwsgi.settings.settings import Settings

    with tempfile.NamedTemporaryFile() as file:
        settings = Settings(access_logfile=file.name if format else None, access_log_format=format or "combined")
        return Logs(settings, backend.build(build))


def make_loop(build: str, kind: Profile, observer: Any) -> Any:
    """A loop with a listener; its housekeeping, which is due by the clock, is put off."""
    from fastwsgi import backend
    from fastwsgi.process.folders import static_files
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings

    modules = backend.build(build)
    loop = Loop(modules, kind.app, Settings(threads=1), lambda message, error: print(message, error), None, observer)
    loop.housekeeping.due = float("inf")
    if kind.sends_files:
        settings = Settings(static=[f"/static={static_folder()}"])
        loop.service.routes = modules.routes.Routes({}, static_files(modules, settings, print))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    loop.add_listener(listener)
    return loop


def connect(loop: Any, served: socket.socket) -> Any:
    """A connection of *loop* whose client has the other end of *served*."""
    served.setblocking(False)
    (listener,) = loop.acceptor.listeners.values()
    return listener.open(served.fileno(), "127.0.0.1", "50000")


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
    few, many = (requests // max(1, PROFILES[profile].connections) for requests in (FEW, MANY))  # rounds
    least = min(count(build, profile, many, heap) - count(build, profile, few, heap) for heap in HEAPS)
    return least / (many - few) / PROFILES[profile].round


def measure(build: str, profile: str) -> int:
    """Instructions of one request on the server's side."""
    return round(per_request(build, profile) - per_request("none", profile))


def of_the_loop(figures: dict[str, int]) -> tuple[int, int]:
    """Instructions of a step of the loop, and of an event beyond the call of on_ready(), from the *figures* measured.

    alone = hello + event + step, and batch = hello + event + step / connections.
    """
    connections = PROFILES["batch"].connections
    step = round((figures["alone"] - figures["batch"]) * connections / (connections - 1))
    return step, figures["alone"] - figures["hello"] - step


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
        figures: dict[str, int] = {}
        for profile in arguments.profiles.split(","):
            if build == "py" and profile not in PURE_PROFILES:
                continue
            figure = figures[profile] = measure(build, profile)
            before = committed.get(build, {}).get(profile)
            print(f"{build:3} {profile:9} {figure:7} instructions a request, committed {before}", flush=True)
            if before is not None and figure > before * TOLERANCE:
                worse.append(f"{build} {profile}: {figure} > {TOLERANCE} x {before}")
            committed.setdefault(build, {})[profile] = figure
        if {"hello", "alone", "batch"} <= figures.keys():
            step, event = of_the_loop(figures)
            print(f"{build:3} of these, a step of the loop has {step}, and an event {event}", flush=True)
    if arguments.update:
        COMMITTED.write_text(json.dumps(committed, indent=1) + "\n")
        return 0
    for line in worse:
        print(f"more instructions than committed: {line}")
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
