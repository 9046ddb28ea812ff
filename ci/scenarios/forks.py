"""An application that forks, under load: a scenario of ci/faults.py.

    python ci/faults.py forks

"the end is seen" is the time from a request, by HTTP/1.0, to the end of its connection, while a child that was forked
in the call lives for 6 s.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from ci.scenarios.running import Deployment, loaded, summary, until, wanted
from tests.helpers.serving import Client, request

SITE = """
import os, sys, time

def leave(way):
    if way == "exit":
        sys.exit(3)
    if way == "raise":
        raise ValueError("of the child")
    return [b"of the child"]

def stream(way):
    yield b""
    yield from fork(way)

def fork(way):
    pid = os.fork()
    if pid == 0:
        if way == "stay":
            time.sleep(6)
            os._exit(0)
        return leave(way)
    if way == "stay":
        return [b"%d" % pid]
    return [b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]

def app(environ, start_response):
    path, way = environ["PATH_INFO"], environ["QUERY_STRING"]
    start_response("200 OK", [])
    if path == "/pid":
        return [b"%d" % os.getpid()]
    if path == "/fork":
        return fork(way)
    if path == "/stream":
        return stream(way)
    return [b"0"]
"""
CODES = {"return": b"0", "exit": b"3", "raise": b"1"}
SEEN = 250  # ms, with the fork of a process under load in it


def forks(quick: bool) -> str:
    """Children leave by return, exit and exception, or live on: one answer each, and each end is seen at once."""
    times = 5 if quick else 30
    seen: list[float] = []
    living: list[int] = []
    with loaded(SITE) as (server, load):
        before = server.children()
        for _ in range(times):
            for way, code in CODES.items():
                for target in ("/fork", "/stream"):
                    ask(server, f"{target}?{way}", code)
            seen.append(stay(server, living))
        wanted(server.children() == before, "no worker is replaced")
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        until(lambda: not before & server.children(), what="the old workers do not end")
        load.more(100)
        seen.append(stay(server, living))
        load.end()
        server.signal()
        wanted(server.process.wait(10) == 0, "exit code 0")
        for pid in living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.wait()
    wanted(load.lost == [], f"nothing lost: {load.lost[:3]}")
    wanted(set(load.answers) == {b"0"}, f"only the parents answer: {dict(load.answers)}")
    wanted(max(seen) <= SEEN, f"the end is seen after at most {max(seen):.0f} ms")
    return f"{6 * times} children that leave, {summary(load)}; the end is seen in at most {max(seen):.0f} ms"


def ask(server: Deployment, target: str, body: bytes) -> None:
    """One request and another on the same connection: one answer for each."""
    with Client(server.address) as client:
        answer = client.send(request(target=target)).answer().body
        wanted(answer == body, f"{target}: {answer!r}, not {body!r}")
        wanted(client.send(request(fields=[("Connection", "close")])).answer().body == b"0", "the next answer")
        wanted(client.rest() == b"", "nothing behind the last answer")


def stay(server: Deployment, living: list[int]) -> float:
    """Have a child forked that lives on: ms until a client sees the end of its connection."""
    began = time.monotonic()
    with Client(server.address) as client:
        body = client.send(request(target="/fork?stay", version="1.0")).rest().rpartition(b"\r\n")[2]
    living.append(int(body))
    return (time.monotonic() - began) * 1000
