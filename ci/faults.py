"""What our server does under faults, with every request accounted for: real processes, real signals, real load.

    python ci/faults.py                  all scenarios, some two minutes
    python ci/faults.py --quick          shortened, as CI runs them
    python ci/faults.py reload upgrade   some of them
    python ci/faults.py --loops 2        workers of two loops each, by a Python without a GIL

Each scenario prints its figures and what is wanted; the exit code is 1 if one of them misses that.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ci.scenarios import running
from ci.scenarios.forks import forks
from ci.scenarios.lines import lines
from ci.scenarios.loops import balanced, failed
from ci.scenarios.running import SHAPE, end, loaded, memory, summary, until, wanted
from ci.scenarios.saturated import saturated
from tests.helpers.deployments import deployed, wait_for_end
from tests.helpers.serving import Client, request

SITE = """
import os, time

version = b"0"
PIECE = b"x" * 65536

def spin():
    while True:
        pass

def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    start_response("200 OK", [])
    if path == "/pid":
        return [str(os.getpid()).encode()]
    if path == "/sleep":
        time.sleep(float(query))
    if path == "/spin":
        spin()
    if path == "/stream":
        return (PIECE for _ in range(800))
    return [version]
"""


def kill(quick: bool) -> str:
    """A worker is killed each second: only what it had in flight is lost, and the count is back in 100 ms."""
    times = 3 if quick else 10
    back = []
    with loaded(SITE) as (server, load):
        for _ in range(times):
            before = server.children()
            victim = sorted(before)[0]
            os.kill(victim, signal.SIGKILL)
            back.append(until(lambda gone=victim: len(server.children() - {gone}) == 2))
            load.more(50)
            time.sleep(0.2 if quick else 1.0)
        wanted(server.process.poll() is None, "no giving up")
        load.end()
        end(server)
    wanted(len(load.lost) <= 4 * times, "only what was in flight is lost")
    wanted(not any(loss.startswith("connect") for loss in load.lost), "no connection refused")
    wanted(max(back) <= 100, "count back in 100 ms")
    return f"{times} kills, {summary(load)}, count back in at most {max(back):.0f} ms"


def reload(quick: bool) -> str:
    """HUP every 2 s: nothing is lost, new code within a second."""
    times = 3 if quick else 15
    took = []
    with loaded(SITE) as (server, load):
        for number in range(1, times + 1):
            server.write(SITE.replace('version = b"0"', f'version = b"{number}"'))
            server.signal(signal.SIGHUP)
            answer = str(number).encode()
            took.append(until(lambda answer=answer: answer in load.answers))
            server.line("reload complete")
            time.sleep(0 if quick else max(0.0, 2 - took[-1] / 1000))
        load.end()
        end(server)
    wanted(load.lost == [], f"nothing lost: {load.lost[:3]}")
    wanted(max(took) <= 1000, "new code within a second")
    return f"{times} reloads, {summary(load)}, new code in at most {max(took):.0f} ms"


def edit(quick: bool) -> str:
    """--reload: what was saved is served within a second."""
    took = []
    with tempfile.TemporaryDirectory() as folder:
        with deployed(Path(folder), source=SITE, reload=True, chdir=folder, **SHAPE) as server:
            server.workers(2)
            for number in range(1, 4 if quick else 11):
                answer = str(number).encode()
                server.write(SITE.replace('version = b"0"', f"version = {answer!r}"))
                took.append(until(lambda answer=answer: server.ask() == answer))
            end(server)
    wanted(max(took) <= 1000, "the new code within a second")
    return f"{len(took)} edits, served after at most {max(took):.0f} ms"


def broken(quick: bool) -> str:
    """A reload into code that does not import: the old workers stay, and the next good one works."""
    with loaded(SITE) as (server, load):
        before = server.children()
        server.write("import nothing_of_that_name\n")
        server.signal(signal.SIGHUP)
        server.line("nothing_of_that_name")
        server.line("the old workers go on")
        wanted(server.children() >= before, "the old workers stay")
        load.more(100)
        server.write(SITE.replace('version = b"0"', 'version = b"mended"'))
        server.signal(signal.SIGHUP)
        until(lambda: b"mended" in load.answers)
        load.end()
        end(server)
    wanted(load.lost == [], f"nothing lost: {load.lost[:3]}")
    return summary(load)


def term(quick: bool) -> str:
    """TERM with 20 requests of 2 s in flight on 2 x 4 threads: all are answered, newcomers refused within 100 ms."""
    seconds = 0.3 if quick else 2.0
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder), source=SITE, **SHAPE) as server:
        server.workers(2)
        with ExitStack() as stack:
            clients = [stack.enter_context(Client(server.address)) for _ in range(20)]
            for client in clients:
                client.socket.settimeout(30)
                client.send(request(target=f"/sleep?{seconds}"))
            time.sleep(0.1)
            server.signal()
            refused = until(lambda: not accepts(server.address))
            answers = [client.answer() for client in clients]
            last = time.monotonic()
        wanted(server.wait() == 0, "exit code 0")
        ended = (time.monotonic() - last) * 1000
    wanted([answer.status for answer in answers] == [200] * 20, "all 20 are answered")
    wanted(refused <= 100, "newcomers refused within 100 ms")
    wanted(ended <= 300, "the end comes soon after the last answer")
    return f"20 of 20 answered, newcomers refused after {refused:.0f} ms, exit 0 {ended:.0f} ms after the last answer"


def accepts(address: Any) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


def upgrade(quick: bool) -> str:
    """USR2, then TERM to the old supervisor: nothing is lost."""
    with loaded(SITE) as (server, load):
        server.write(SITE.replace('version = b"0"', 'version = b"new"'))
        server.signal(signal.SIGUSR2)
        successor = int(server.line(r"upgrade: process ([0-9]+) starts")[1])
        try:
            until(lambda: b"new" in load.answers)
            server.signal()
            wanted(server.process.wait(20) == 0, "exit code 0")
            load.more(200 if quick else 2000)
            load.end()
        finally:
            os.kill(successor, signal.SIGTERM)
            wait_for_end(successor)
    wanted(load.lost == [], f"nothing lost: {load.lost[:3]}")
    return summary(load)


def recycle(quick: bool) -> str:
    """A worker is replaced every 100 requests: nothing is lost, and never are there fewer than two."""
    with loaded(SITE, max_requests=100, max_requests_jitter=50) as (server, load):
        seen = set(server.children())
        goal = 6 if quick else 30
        while len(seen) < goal:
            now = server.children()
            wanted(len(now) >= 2, "two workers at any time")
            seen |= now
            load.more(20)
        load.end()
        end(server)
    wanted(load.lost == [], f"nothing lost: {load.lost[:3]}")
    return f"{len(seen)} workers, {summary(load)}"


def stuck(quick: bool) -> str:
    """Endless loops in the application, with --timeout 1: 504, and the others are served on."""
    with loaded(SITE, timeout=1, graceful_timeout=2) as (server, load):
        with ExitStack() as stack:
            for _ in range(2 if quick else 4):
                client = stack.enter_context(Client(server.address))
                client.send(request(target="/spin"))
                wanted(client.answer().status == 504, "504")
        load.more(100)
        load.end()
        server.line("in spin")
        end(server)
    wanted(load.lost == [], f"nothing lost: {load.lost[:3]}")
    return summary(load)


LEAVING = """
import os, threading, time

DONE = os.open("{file}", os.O_WRONLY | os.O_APPEND)

def work(number):
    time.sleep(0.2)
    os.write(DONE, b"%s\\n" % number.encode())

def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    start_response("200 OK", [])
    if path == "/spin":
        while True:
            pass
    if path == "/work":
        threading.Thread(target=work, args=(query,)).start()
    return [str(os.getpid()).encode()]
"""


def leftover(quick: bool) -> str:
    """The application's threads at HUP, at TERM and in a worker with a call given up: each does its work to the end."""
    rounds = 3 if quick else 10
    with tempfile.NamedTemporaryFile() as file:
        with loaded(LEAVING.format(file=file.name), timeout=1, graceful_timeout=20) as (server, load):
            given = [server.ask(f"/work?{number}") and number for number in range(20)]
            for _ in range(rounds):
                server.signal(signal.SIGHUP)
                given += [server.ask(f"/work?{number}") and number for number in range(len(given), len(given) + 40)]
                server.line("reload complete")
            before = server.children()
            with Client(server.address) as client:
                wanted(client.send(request(target="/spin")).answer().status == 504, "504")
            given += [server.ask(f"/work?{number}") and number for number in range(len(given), len(given) + 40)]
            ended = until(lambda: len(before & server.children()) < len(before))
            load.end()
            given += [server.ask(f"/work?{number}") and number for number in range(len(given), len(given) + 40)]
            end(server)
        done = sorted(map(int, file.read().split()))
    wanted(load.lost == [], f"nothing lost: {load.lost[:3]}")
    wanted(done == sorted(given), f"{len(given) - len(done)} of {len(given)} threads lost")
    return f"{len(given)} threads, all ended their work, {summary(load)}, given-up worker gone after {ended:.0f} ms"


def stalled(quick: bool) -> str:
    """50 clients that do not read their 50 MB stream: nobody else notices, little memory is taken."""
    with loaded(SITE) as (server, load):
        before = memory(server)
        with ExitStack() as stack:
            for _ in range(50):
                client = stack.enter_context(Client(server.address, receive_buffer=4096))
                client.send(request(target="/stream"))
            time.sleep(0.5)
            load.more(200 if quick else 2000)
            grown = (memory(server) - before) / 2**20
        load.end()
        end(server)
    wanted(load.lost == [], f"nothing lost: {load.lost[:3]}")
    wanted(grown <= 50, "at most 1 MB for each")
    return f"{summary(load)}, {grown:.1f} MiB more memory for 50 readers"


OURS = (kill, reload, edit, broken, term, upgrade, recycle, stuck, leftover, stalled)
SCENARIOS = {one.__name__: one for one in (*OURS, saturated, forks, lines, balanced, failed)}

if __name__ == "__main__":
    raise SystemExit(running.run(SCENARIOS, running.make_parser(__doc__, SCENARIOS).parse_args()))
