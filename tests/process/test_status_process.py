"""The status process: it answers when workers do not, and lives and ends with the supervisor."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastwsgi.process.signals import WATCHED
from tests.helpers.deployments import SITE, deployed, is_alive, starting, wait_for_end
from tests.helpers.processes import open_files, running
from tests.helpers.serving import PATIENCE, Client, request
from tests.helpers.status import ON, STATUS, Status, observed
from tests.helpers.waiting import until


def test_it_answers_while_every_worker_is_stuck(tmp_path: Path, build: SimpleNamespace) -> None:
    with observed(tmp_path, build.name, threads=1) as (server, status), server.connect() as client:
        client.send(request(target="/held"))
        server.line("entered")
        assert status.get("/livez").status == status.get("/readyz").status == 200
        assert b"fastwsgi_workers" in status.get("/metrics").body
        assert status.document()["workers"][0]["state"] == "ready"
        server.let_go()
        assert client.answer().body == b"one"


def test_it_knows_the_places_of_workers_and_which_of_them_cannot_load(tmp_path: Path) -> None:
    source = "import there_is_no_such_module"
    with observed(tmp_path, source=source, workers=2, reload=True, chdir=str(tmp_path)) as (server, status):
        failed = status.comes(lambda document: [one["has_failed"] for one in document["workers"]] == [True, True])
        assert [one["worker"] for one in failed["workers"]] == [0, 1]
        why = "site cannot be imported: No module named 'there_is_no_such_module'"
        expected = f"not loaded: {why}; each request gets a page that says why"
        status.comes(lambda document: document["verdict"]["text"] == expected)
        assert status.get("/readyz").body == b"the application cannot be loaded\n"
        server.write("(")
        event = status.event("reload-failed", "site cannot be imported")
        assert "SyntaxError" in event["details"]
        assert "still serves" not in json.dumps(status.document()["verdict"])
        server.write(SITE)
        status.comes(lambda document: document["verdict"]["word"] == "serving")
        mended = status.document()["workers"]
        assert [(one["worker"], one["has_failed"]) for one in mended] == [(0, False), (1, False)]


def test_a_killed_one_is_replaced_and_harms_nobody(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status):
        (worker,) = server.workers(1)
        pids = set()
        for _ in range(3):
            pid = status.process
            pids.add(pid)
            os.kill(pid, signal.SIGKILL)
            server.line("the status process was killed by SIGKILL.*; another takes its place")
            wait_for_end(pid)
            status.document()
        assert len(pids) == 3
        assert server.workers(1) == {worker}


def test_one_that_hangs_is_replaced(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status):
        pid = status.process
        os.kill(pid, signal.SIGSTOP)
        server.line("the status process has not run for 5 s, and was killed; another takes its place")
        assert status.process != pid


def test_slow_clients_keep_no_probe_waiting(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status), ExitStack() as slow:
        for _ in range(100):
            slow.enter_context(socket.create_connection(status.address)).sendall(b"G")
        assert status.get("/livez").status == 200
        server.signal()
        assert server.wait() == 0
        assert not any("connections are open" in line for line in server.seen)


def test_signals_are_for_the_supervisor(tmp_path: Path) -> None:
    with observed(tmp_path) as (_, status):
        pid = status.process
        for number in WATCHED[:-1]:
            os.kill(pid, number)
        assert status.get("/livez").status == 200
        assert status.process == pid


def test_it_ends_with_the_supervisor(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status):
        pid = status.process
        server.signal(signal.SIGKILL)
        server.wait()
        wait_for_end(pid)


def test_it_serves_during_a_stop_and_delays_none(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status), server.connect() as client:
        pid = status.process
        client.send(request(target="/held"))
        server.line("entered")
        server.signal()
        status.comes(lambda document: bool(document["is_stopping"]))
        answer = status.get("/readyz")
        assert (answer.status, answer.body) == (503, b"stopping\n")
        assert status.get("/livez").status == 200
        os.kill(pid, signal.SIGSTOP)  # a stop waits for nobody there
        server.let_go()
        assert client.answer().body == b"one"
        assert server.wait() == 0
        assert not is_alive(pid)


def test_a_reload_changes_the_address_and_keeps_the_process(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with observed(tmp_path) as (server, status):
        pid = status.process
        server.write(f"{{'status_bind': 'unix:{path}'}}", "settings.py")
        server.signal(signal.SIGHUP)
        server.line("status on unix:")
        moved = Status(server, str(path))
        document = moved.document()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert server.children() - {one["pid"] for one in document["workers"]} >= {pid}
        with pytest.raises(ConnectionRefusedError):
            status.document()
        server.write("{'status_bind': None}", "settings.py")
        server.signal(signal.SIGHUP)
        server.line("status on no address")
        wait_for_end(pid)
        assert not path.exists()


def test_an_address_that_is_taken_fails_the_reload(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, status):
        server.write(f"{{'status_bind': '127.0.0.1:{server.address[1]}'}}", "settings.py")
        server.signal(signal.SIGHUP)
        server.line("the reload is given up: .* is taken by .*: .* choose another port with --status-bind")
        assert status.get("/livez").status == 200
        assert server.ask() == b"one"


def test_an_address_that_is_taken_fails_the_start(tmp_path: Path) -> None:
    with observed(tmp_path) as (server, _):
        taken = f"127.0.0.1:{server.address[1]}"
        with starting(tmp_path, "py", status_bind=taken) as other:
            other.line(f"{taken} is taken")
            assert other.wait() != 0


def test_one_of_two_supervisors_answers(tmp_path: Path) -> None:
    """The newest that serves; the old one again if that ends."""
    with observed(tmp_path) as (server, status):
        assert status.document()["supervisor"] == server.pid
        for _ in range(2):
            server.write(SITE)
            server.signal(signal.SIGUSR2)
            successor = int(server.line(r"upgrade: process ([0-9]+) starts")[1])
            server.line(STATUS)
            status.comes(lambda document, pid=successor: document["supervisor"] == pid)  # type: ignore[misc]
            until(lambda pid=successor: {status.document()["supervisor"] for _ in range(20)} == {pid})  # type: ignore[misc]
            os.kill(successor, signal.SIGTERM)
            server.line("the upgrade is given up")
            status.comes(lambda document: document["supervisor"] == server.pid)
        assert {status.document()["supervisor"] for _ in range(20)} == {server.pid}


def test_the_new_supervisor_goes_on_alone(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with deployed(tmp_path, "py", workers=1, status_bind=f"unix:{path}") as server:
        server.signal(signal.SIGUSR2)
        successor = int(server.line(r"upgrade: process ([0-9]+) starts")[1])
        server.line("status on unix:")
        server.signal()
        assert server.process.wait(PATIENCE) == 0
        assert Status(server, str(path)).document()["supervisor"] == successor
        os.kill(successor, signal.SIGTERM)
        wait_for_end(successor)
        assert not path.exists()


PRELOADED = SITE + """
import atexit
atexit.register(print, "the application ends", flush=True)
kept = open(__file__ if "__file__" in dir() else os.devnull)
"""


def test_it_has_nothing_of_the_service(tmp_path: Path) -> None:
    """Neither descriptors, nor exit functions of an application that was loaded before the fork."""
    log = tmp_path / "error.log"
    with deployed(tmp_path, "py", PRELOADED, log, preload=True, error_logfile=str(log), **ON) as server:
        found = server.found_in(log, STATUS)
        status = Status(server, (found[1], int(found[2])))
        os.kill(status.process, signal.SIGKILL)  # the next one is forked after the application was loaded
        server.found_in(log, "another takes its place")
        pid = status.process
        until(lambda: str(log) not in open_files(pid).values())  # it may not have come as far as to close it
        shared = set(open_files(pid).values()) & set(server.descriptors())
        assert len([one for one in shared if one.startswith("socket:")]) == 1  # its listener
        server.signal()
        assert server.wait() == 0
        assert sum("the application ends" in line for line in server.seen) == 2  # the worker's, the supervisor's


def test_it_answers_while_the_application_is_loaded_before_the_fork(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    loads = "import os, sys, time\nprint('loads', flush=True)\n"
    loads += "while not os.path.exists(os.path.join(sys.argv[1], 'go')):\n    time.sleep(0.01)\n"
    with starting(tmp_path, "py", loads + SITE, workers=1, preload=True, status_bind=f"unix:{path}") as server:
        server.line("loads")
        status = Status(server, str(path))
        assert status.get("/livez").status == 200
        assert status.get("/readyz").status == 503
        server.let_go()
        server.begin()
        status.comes(lambda document: document["workers"] and document["workers"][0]["state"] == "ready")
        assert status.get("/readyz").status == 200


def test_others_are_warned_of_an_address_that_all_can_reach(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1, status_bind="0.0.0.0:0") as server:
        server.line("status on http://0.0.0.0:")
        warning = "WARNING everybody who reaches 0.0.0.0:0 can read the status.*: say who may with --status-allow"
        assert any(re.search(warning, line) for line in server.seen)
    with deployed(tmp_path, "py", workers=1, status_bind="0.0.0.0:0", status_allow=["10.0.0.0/8"]) as server:
        found = server.line(r"status on http://(0\.0\.0\.0):([0-9]+)")
        assert not any("everybody" in line for line in server.seen)
        answer = Status(server, ("127.0.0.1", int(found[2]))).get("/")
        assert (answer.status, answer.body) == (403, b"127.0.0.1 is not among --status-allow\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_it_runs_as_the_workers_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "status.sock"
    with deployed(tmp_path, "py", workers=1, user="nobody", preload=True, status_bind=f"unix:{path}") as server:
        server.line("status on unix:")
        status = Status(server, str(path))
        workers = status.document()["workers"]
        assert workers[0]["rss"] > 0
        assert Path(f"/proc/{status.process}").stat().st_uid == Path(f"/proc/{workers[0]['pid']}").stat().st_uid != 0


def test_serve_has_it_too(tmp_path: Path) -> None:
    code = "fastwsgi.serve(fastwsgi.demo.app, bind='127.0.0.1:0', status_bind='127.0.0.1:0')"
    with running(["-c", f"import fastwsgi, fastwsgi.demo; {code}"], "py") as process:
        found = process.line(STATUS)
        with Client((found[1], int(found[2]))) as client:
            answer = client.send(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").answer(to_head=True)
            assert (answer.status, answer.body) == (200, b"")
            assert int(answer.get("Content-Length")) > 1000
            answer = client.send(request("POST", "/")).answer()
            assert answer.status == 421  # its name is test
        process.signal()
        assert process.wait() == 0


def test_statsd_alone_has_one_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(PATIENCE)
        host = f"127.0.0.1:{statsd.getsockname()[1]}"
        with deployed(tmp_path, "py", workers=1, statsd_host=host):
            while b"gunicorn.workers:1|g" not in statsd.recv(65536):
                pass
