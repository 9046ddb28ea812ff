"""/stacks: where the requests are that run, and the workers that do not say so."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

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
            assert re.match(r"worker [01] \(pid [0-9]+\) does not answer; its threads are at:\n", text)
            assert "in app" in text
        for pid in server.children():  # one is in a call that does not return, and keeps the test from its end
            os.kill(pid, signal.SIGKILL)
