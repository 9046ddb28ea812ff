"""What the status tells of the life of a service: starts, ends, reloads, time-outs, and why they failed."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace

from fastwsgi.status.phrases import HELD
from tests.helpers.deployments import SITE
from tests.helpers.serving import request
from tests.helpers.status import observed

GIL = """
import re
""" + SITE.replace(
    'if path == "/held":', 'if path == "/gil":\n        re.match("(a+)+$", "a" * 64 + "b")\n    if path == "/held":'
)


def test_a_killed_worker(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status):
        (pid,) = server.workers(1)
        assert status.event("start")["text"] == f"worker {pid} starts: boot"
        os.kill(pid, signal.SIGKILL)
        event = status.event("exit")
        assert (event["pid"], event["worker"], event["is_bad"]) == (pid, 0, True)
        assert "was killed by SIGKILL" in event["text"]
        document = status.comes(lambda document: document["starts"]["crash"] and document["cpu"]["0"])
        assert document["starts"]["boot"] == 1
        status.comes(lambda document: document["logged"]["error"] == 1)  # the supervisor's own entry
        assert document["workers_wanted"] == 1
        assert document["told"]["name"] == "site"


def test_the_requests_in_which_a_worker_ends_are_named(tmp_path: Path, build: SimpleNamespace) -> None:
    with observed(tmp_path, build.name) as (server, status), server.connect() as held, server.connect() as fatal:
        held.send(request(target="/held?token=hunter2"))
        server.line("entered")
        fatal.send(request(target="/exit"))
        pid = status.event("exit")["pid"]
        named = rf"worker {pid} ended with exit code 3, in GET /held\S* for [0-9.]+ s and 1 more"
        server.line(f"{named}; another takes its place")
        event = status.event("exit")
        assert re.fullmatch(named, event["text"])
        assert "GET /exit for 0." in event["details"]
        assert "hunter2" not in event["text"] + event["details"]


def test_reloads_and_the_reasons_of_failed_ones(tmp_path: Path) -> None:
    with observed(tmp_path, env=["KEY=hunter2"]) as (server, status):
        server.write("raise LookupError('there is no table')")
        server.signal(signal.SIGHUP)
        event = status.event("reload-failed")
        assert event["text"] == "site cannot be imported: there is no table"
        assert "LookupError" in event["details"]
        assert status.document()["told"]["reload_failure"] == event["text"]
        server.write(SITE)
        server.write("{'bind': ['192.0.2.1:1']}", "settings.py")
        server.signal(signal.SIGHUP)
        status.event("reload-failed", "192.0.2.1:1 is no address of this machine")
        server.write("{'threads': 2}", "settings.py")
        server.signal(signal.SIGHUP)
        document = status.comes(lambda document: document["reloads"]["success"] and document["told"]["urls"])
        status.event("reload", "complete")
        document = status.document()
        assert document["reloads"] == {"success": 1, "failure": 2}
        assert document["starts"]["reload"] == 2
        assert document["told"]["reload_failure"] == ""
        assert document["told"]["settings"]["threads"] == "2"
        assert document["told"]["settings"]["env"] == "KEY=..."
        assert document["told"]["urls"] == ["http://{}:{}".format(*server.address)]
        assert document["generation"] >= 1


def test_a_crash_loop(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status):
        server.write("raise LookupError('there is no table')")
        os.kill(*server.workers(1), signal.SIGKILL)
        document = status.comes(lambda document: document["told"]["crash_loop"] and document["failing_starts"] > 1)
        assert "site cannot be imported: there is no table" in document["told"]["crash_loop"]
        assert status.get("/readyz").status == 503
        server.write(SITE)
        status.comes(lambda document: not document["told"]["crash_loop"])
        assert status.get("/readyz").status == 200


def test_a_request_that_was_given_up(tmp_path: Path) -> None:
    with observed(tmp_path, timeout=0.3) as (server, status), server.connect() as client:
        assert client.send(request(target="/wait?20")).answer().status == 504
        event = status.event("timeout")
        assert event["text"].startswith("timeout: GET /wait")
        assert "in app" in event["details"]
        status.comes(lambda document: document["starts"]["timeout"])


def test_a_call_that_holds_the_gil(tmp_path: Path) -> None:
    with observed(tmp_path, source=GIL, timeout=0.5) as (server, status), server.connect() as client:
        client.send(request(target="/gil"))
        event = status.event("timeout", f"a C call has held {HELD}")
        assert "in app" in event["details"]
        status.comes(lambda document: document["starts"]["timeout"])
        server.line("the stacks are:")
        server.line("in app")


def test_more_workers_and_a_stop(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status), server.connect() as client:
        server.signal(signal.SIGTTIN)
        assert status.event("scale")["text"] == "2 workers from now on"
        status.comes(lambda document: document["starts"]["scale"] == 1)
        client.send(request(target="/held"))
        server.line("entered")
        server.signal()
        assert status.event("stop")["text"] == "a stop by SIGTERM"
        server.let_go()
        assert server.wait() == 0


def test_connections_that_wait_for_accept(tmp_path: Path) -> None:
    with observed(tmp_path, threads=1, defer_accept=False, backlog=9) as (server, status):
        address = "{}:{}".format(*server.address)
        assert status.comes(lambda document: document["listeners"])["listeners"] == [
            {"address": address, "waiting": 0, "limit": 9}
        ]
        (pid,) = server.workers(1)
        os.kill(pid, signal.SIGSTOP)
        with server.connect(), server.connect():
            status.comes(lambda document: document["listeners"][0]["waiting"] == 2)
        os.kill(pid, signal.SIGCONT)
