"""/stacks: where the requests are that run, and the workers that do not say so."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

import pytest

from fastwsgi.gil import HAS_GIL
from tests.helpers.deployments import SITE
from tests.helpers.serving import request
from tests.helpers.status import observed

GIL = """
import re
""" + SITE.replace(
    'if path == "/held":', 'if path == "/gil":\n        re.match("(a+)+$", "a" * 64 + "b")\n    if path == "/held":'
)


def test_the_stacks_of_requests_oldest_first(tmp_path: Path) -> None:
    with observed(tmp_path, request_id="accept") as (server, status):
        assert status.text("/stacks") == "no request runs\n"
        with server.connect() as first, server.connect() as second:
            first.send(request(target="/held?token=hunter2", fields=[("X-Request-ID", "the-first-one")]))
            server.line("entered")
            second.send(request(target="/held"))
            server.line("entered")
            text = status.text("/stacks")
            while text == "no request runs\n":  # the answer of a second is given again
                text = status.text("/stacks")
            (pid,) = {one["pid"] for one in status.document()["workers"]}
            first_part, second_part = text.split("\n\n")
            found = rf"GET /held\?\.\.\. has run for [0-9.]+ s in worker 0 \(pid {pid}\), thread [0-9]+"
            assert re.match(rf"{found}, request the-first-one\n", first_part)
            assert "in app" in second_part
            assert "hunter2" not in text
            server.let_go()


def test_a_stopped_worker_is_told_as_that(tmp_path: Path) -> None:
    with observed(tmp_path, slow_log=1.0) as (server, status), server.connect() as client:
        client.send(request(target="/held"))
        server.line("entered")
        (worker,) = status.document()["workers"]
        os.kill(worker["pid"], signal.SIGSTOP)
        try:
            document = status.comes(lambda document: document["workers"][0]["is_stopped"])
            assert "it is stopped (SIGSTOP): GET /held" in document["verdict"]["text"]
            metrics = status.text("/metrics")
            assert 'fastwsgi_workers{state="ready"} 0\n' in metrics
            assert 'fastwsgi_workers{state="stuck"} 1\n' in metrics
            server.line(rf"worker {worker['pid']}: it has been stopped \(SIGSTOP\) for [0-9.]+ s, in GET /held for")
            assert re.fullmatch(
                rf"GET /held has run for [0-9.]+ s in worker 0 \(pid {worker['pid']}\), thread [0-9]+"
                r", which is stopped \(SIGSTOP\)\n\(nothing is known of it\)\n",
                status.text("/stacks"),
            )
        finally:
            os.kill(worker["pid"], signal.SIGCONT)
        server.let_go()
        assert client.answer().body == b"one"


@pytest.mark.skipif(HAS_GIL, reason="with a GIL there is one loop")
def test_the_requests_of_all_loops_are_those_of_their_worker(tmp_path: Path) -> None:
    with observed(tmp_path, threads=4, loops=2) as (server, status):
        with server.connect() as first, server.connect() as second:
            for client in (first, second):
                client.send(request(target="/held"))
                server.line("entered")
            (worker,) = status.comes(lambda document: len(document["running"]) == 2)["workers"]
            assert (worker["loops"], worker["threads"], worker["threads_busy"]) == (2, 4, 2)
            assert status.text("/stacks").count("GET /held has run for") == 2
            os.kill(worker["pid"], signal.SIGKILL)
            server.line(rf"worker {worker['pid']} was killed by SIGKILL, in GET /held for [0-9.]+ s and 1 more")
        document = status.comes(lambda document: document["workers"] and document["workers"][0]["state"] == "ready")
        assert (document["workers"][0]["loops"], document["running"]) == (2, [])


@pytest.mark.skipif(not HAS_GIL, reason="without a GIL a C call holds nobody up")
def test_two_may_ask_at_once_and_probes_do_not_wait(tmp_path: Path) -> None:
    with observed(tmp_path, source=GIL, workers=2) as (server, status), server.connect() as client:
        server.workers(2)
        client.send(request(target="/gil"))
        status.comes(lambda document: any(one["is_stuck"] for one in document["workers"]))
        texts: list[str] = []
        askers = [threading.Thread(target=lambda: texts.append(status.text("/stacks"))) for _ in range(2)]
        for asker in askers:
            asker.start()
        assert status.get("/livez").status == 200
        assert len(texts) < 2  # they still wait
        for asker in askers:
            asker.join()
        for text in texts:
            head, *stack = text.splitlines()
            found = r"GET /gil has run for [0-9.]+ s in worker [01] \(pid [0-9]+\), thread [0-9]+"
            assert re.fullmatch(f"{found}, which does not answer", head)
            assert "in app" in "".join(stack)
            assert "sre_parse" in stack[-1] or "re.py" in stack[-1] or "re/" in stack[-1]
            assert "threads are at" not in text  # the others wait for requests
        for pid in server.children():  # one is in a call that does not return, and keeps the test from its end
            os.kill(pid, signal.SIGKILL)
