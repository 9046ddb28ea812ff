"""What the loops of one process do for each other, and when one of them fails: scenarios of ci/faults.py.

    python ci/faults.py --loops 2 balanced failed

They want a Python without a GIL, and more than one loop; elsewhere they say so, and pass.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

from ci.scenarios.running import SHAPE, end, loaded, served, summary, until, wanted
from fastwsgi.gil import HAS_GIL
from tests.helpers.serving import Client, Ended, request

SITE = """
import os, time

def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    start_response("200 OK", [])
    if path == "/pid":
        return [str(os.getpid()).encode()]
    if path == "/compute":
        end = time.thread_time() + float(query)
        while time.thread_time() < end:
            pass
    if path == "/poller":
        for fd in os.listdir("/proc/self/fd"):
            if "eventpoll" in os.readlink("/proc/self/fd/" + fd):
                os.close(int(fd))
                break
    return [b"0"]
"""
ALONE = "this Python has a GIL, or --loops is not given: one loop"
SOON = 20.0  # ms


def has_loops() -> bool:
    return not HAS_GIL and SHAPE["loops"] > 1


def balanced(quick: bool) -> str:
    """While all but one of the loops are in calls that compute, new connections are answered by the one that is not."""
    if not has_loops():
        return ALONE
    loops = SHAPE["loops"]
    seconds = 1.0 if quick else 5.0
    with served(SITE, workers=1, threads=loops) as server, ExitStack() as stack:
        for number in range(1, loops):
            stack.enter_context(Client(server.address)).send(request(target=f"/compute?{seconds}"))
            began = time.monotonic()
            took: list[float] = []
            while time.monotonic() - began < seconds / loops * number / 2:
                took.append(asked(server.address))
        p99, slowest = sorted(took)[len(took) * 99 // 100], max(took)
        end(server)
    wanted(p99 <= SOON, f"new connections waited, p99 {p99:.0f} ms")
    return f"{len(took)} beside {loops - 1} of {loops} loops in a call, p99 {p99:.1f} ms, at most {slowest:.0f} ms"


def asked(address: Any) -> float:
    """Ask on a new connection: how many ms that took."""
    began = time.monotonic()
    with Client(address) as client:
        wanted(client.send(request(target="/")).answer().status == 200, "200")
    return (time.monotonic() - began) * 1000


def failed(quick: bool) -> str:
    """A loop whose poller is closed by the application ends its worker, which is replaced; the others serve on."""
    if not has_loops():
        return ALONE
    times = 3 if quick else 10
    back = []
    with loaded(SITE) as (server, load):
        for _ in range(times):
            before = server.children()
            spoilt = threading.Thread(target=spoil, args=(server.address,))
            spoilt.start()
            back.append(until(lambda old=before: len(server.children() - old) == 1 and len(server.children()) == 2))
            spoilt.join()
            load.more(50)
        wanted(server.process.poll() is None, "no giving up")
        load.end()
        end(server)
    wanted(len(load.lost) <= 9 * times, f"only what was in flight is lost: {len(load.lost)}")
    wanted(not any(loss.startswith("connect") for loss in load.lost), "no connection refused")
    return f"{times} failures, {summary(load)}, count back in at most {max(back):.0f} ms"


def spoil(address: Any) -> None:
    """Have a poller closed; the answer may be lost."""
    try:
        with Client(address) as client:
            client.send(request(target="/poller")).answer()
    except (Ended, OSError):
        pass
