"""Workers with several threads each: whoever has a thread free takes the new connections."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers.deployments import deployed
from tests.helpers.serving import GET, Client, request

SITE = """
import os, threading

held = threading.Event()

def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/hold":
        print("held", flush=True)
        held.wait(1000)
    return [str(os.getpid()).encode()]
"""


@pytest.mark.parametrize("backend", ["c", "py"])
def test_a_full_worker_leaves_new_connections_to_one_with_a_thread_free(tmp_path: Path, backend: str) -> None:
    with deployed(tmp_path, backend, SITE, workers=2, threads=2, graceful_timeout=0.1) as server, ExitStack() as stack:
        server.workers(2)
        for _ in range(3):  # one thread of four is left, in whichever worker
            client = stack.enter_context(server.connect())
            client.send(request(target="/hold"))
            server.line("held")
        for _ in range(60):
            assert server.ask()  # a request that waited for the held ones would not be answered in time
        server.signal()
        server.signal()
        server.wait()


def test_a_connection_that_is_kept_stays_with_its_worker(tmp_path: Path) -> None:
    with deployed(tmp_path, source=SITE, workers=2, threads=2) as server, Client(server.address) as client:
        assert len({client.send(GET).answer().body for _ in range(20)}) == 1
        server.signal()
        client.rest()
        assert server.wait() == 0
