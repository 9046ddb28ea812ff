"""What an application changes in its process does not disturb the server: it answers, logs, reloads and stops."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.process_changes import CHANGES, site
from tests.helpers.processes import ROOT, Process, running
from tests.helpers.serving import Client, request
from tests.helpers.waiting import until

NEEDED = ("eventlet", "freezegun", "gevent")
pytestmark = pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="one of the packages to try is missing")

OPTIONS = "--bind 127.0.0.1:0 --access-logfile access.log --pid pid --request-id make --graceful-timeout 20"
PROGRAM = """
import fastwsgi, os, sys
os.chdir(sys.argv[1])
from site_app import app
fastwsgi.serve(app, "127.0.0.1:0", graceful_timeout=float(sys.argv[2]), threads=int(sys.argv[3]))
"""


@contextmanager
def serving_site(
    folder: Path, backend: str, options: str = "", at_import: str = "", python: str = ""
) -> Iterator[Process]:
    """The command, with the application of process_changes; *python* are options of the interpreter."""
    _write_site(folder, at_import)
    with running(f"{python} -m fastwsgi site_app:app --chdir {folder} {OPTIONS} {options}".split(), backend) as process:
        process.connect(log=folder / "error.log" if "--error-logfile" in options else None).socket.close()
        yield process


@contextmanager
def serving_program(folder: Path, backend: str, patience: float = 20, threads: int = 1) -> Iterator[Process]:
    """A program that serves the application in its one process, with a graceful timeout of *patience* seconds."""
    _write_site(folder, "")
    arguments = ["-c", PROGRAM, str(folder), str(patience), str(threads)]
    with running(arguments, backend, PYTHONPATH=f"{ROOT}:{folder}") as process:
        yield process


def _write_site(folder: Path, at_import: str) -> None:
    (folder / "site_app.py").write_text(site())
    (folder / "at_import").write_text(at_import)


def change(process: Process, name: str) -> None:
    """Have the application make a change in a request."""
    with process.connect() as client:
        assert client.send(request(target=f"/change?{name.replace(' ', '+')}")).answer().status == 200, name


def check(process: Process, mark: str, with_ids: bool = True) -> None:
    """It answers, with the right Date and other request IDs; tracebacks and wsgi.errors are logged."""
    seen = set()
    for path, status in (("/", 200), ("/log", 200), ("/fail", 500), ("/", 200)):
        with process.connect() as client:
            answer = client.send(request(target=f"{path}?{mark}")).answer()
        assert answer.status == status, process.seen
        seen.add(answer.body)
        date = parsedate_to_datetime(answer.get("Date") or "")
        assert abs(date.timestamp() - time.time()) < 5
    assert len(seen) == 4 or not with_ids
    process.line(rf"(ERROR )?{mark}$")
    process.line(rf"ArithmeticError: {mark}$")


def reload(process: Process) -> None:
    """Have the supervisor start another worker, and end the one in which something is changed."""
    process.signal(signal.SIGHUP)
    process.line("reload complete")


def stop(process: Process) -> None:
    """It ends at once, and has met no error of its own."""
    process.signal(signal.SIGTERM)
    assert process.wait() == 0, process.seen
    assert [line for line in process.seen if "internal error" in line or "Warning" in line] == []


def lines_of(folder: Path, mark: str) -> int:
    """The number of lines of the access log with *mark*."""
    return (folder / "access.log").read_text().count(f"?{mark} ")


def test_changes_in_requests(build: SimpleNamespace, tmp_path: Path) -> None:
    with serving_site(tmp_path, build.name, "--threads 1") as process:
        for number, name in enumerate(CHANGES):
            change(process, name)
            check(process, f"mark{number}.")
            reload(process)
        stop(process)
    assert [name for number, name in enumerate(CHANGES) if lines_of(tmp_path, f"mark{number}.") != 4] == []


def test_changes_at_import(build: SimpleNamespace, tmp_path: Path) -> None:
    with serving_site(tmp_path, build.name, "--threads 4 --timeout 30") as process:
        for number, name in enumerate(CHANGES):
            (tmp_path / "at_import").write_text(name)
            reload(process)
            check(process, f"mark{number}.")
        stop(process)
    assert [name for number, name in enumerate(CHANGES) if lines_of(tmp_path, f"mark{number}.") != 4] == []


# At import, in the supervisor


@pytest.mark.parametrize("name", ["asyncio", "ignored", "blocked", "directory"])
def test_changes_of_a_preloaded_application(name: str, tmp_path: Path) -> None:
    with serving_site(tmp_path, "c", "--preload", name) as process:
        check(process, "mark.")
        (tmp_path / "access.log").rename(tmp_path / "rotated.log")
        process.signal(signal.SIGUSR1)
        wait_for(tmp_path / "access.log")
        reload(process)
        check(process, "more.")
        stop(process)
    assert lines_of(tmp_path, "more.") == 4
    assert not (tmp_path / "pid").exists()


# In a process that serves alone


@pytest.mark.parametrize(
    ("name", "threads"),
    [("blocked", 1), ("wake-up descriptor", 1), ("standard streams closed", 4), ("gevent", 4)],
)
def test_a_process_that_serves_alone_stops(build: SimpleNamespace, name: str, threads: int, tmp_path: Path) -> None:
    with serving_program(tmp_path, build.name, threads=threads) as process:
        change(process, name)
        check(process, "mark.", with_ids=False)
        stop(process)


@pytest.mark.parametrize("name", ["sleeps for ever", "sleeps with an alarm of its own"])
def test_a_request_that_never_ends_is_left_at_the_graceful_timeout(name: str, tmp_path: Path) -> None:
    with serving_program(tmp_path, "c", patience=0.2) as process, process.connect() as client:
        client.send(request(target=f"/change?{name.replace(' ', '+')}"))
        process.line("asleep")
        stop(process)


# Paths, clocks and descriptors


@pytest.mark.parametrize("name", ["directory", "umask"])
def test_logs_are_reopened_where_and_as_they_were(name: str, tmp_path: Path) -> None:
    log, rotated = tmp_path / "access.log", tmp_path / "rotated.log"
    with serving_site(tmp_path, "c", f"--error-logfile error.log --bind unix:{tmp_path}/socket", name) as process:
        log.rename(rotated)
        (tmp_path / "error.log").rename(tmp_path / "rotated-error.log")
        process.signal(signal.SIGUSR1)
        wait_for(tmp_path / "error.log")
        until(lambda: log.exists() and log.stat().st_mode == rotated.stat().st_mode)
        stop(process)
    assert not (tmp_path / "socket").exists()
    assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize("name", ["freezegun", "time"])
def test_deadlines_go_on(build: SimpleNamespace, name: str, tmp_path: Path) -> None:
    with serving_site(tmp_path, build.name, "--threads 1 --header-timeout 0.2 --keep-alive 0.2") as process:
        with process.connect() as idle:
            idle.send(request(target=f"/change?{name}"))
            assert idle.answer().status == 200
            with process.connect() as slow:
                assert slow.send(b"GET / HTTP/1.1\r\n").answer().status == 408
            assert idle.rest() == b""
        stop(process)


def test_nothing_is_sent_to_a_client_who_got_the_place_of_stderr(build: SimpleNamespace, tmp_path: Path) -> None:
    with serving_site(tmp_path, build.name, "--threads 1 --no-defer-accept") as process:
        change(process, "standard streams closed")
        clients = [process.connect() for _ in range(4)]
        for client in clients:
            assert client.send(request(target="/print")).answer().status == 200
            assert not client.is_readable(0.01)
            client.socket.close()
        stop(process)


def test_a_worker_whose_descriptors_are_closed_is_replaced(build: SimpleNamespace, tmp_path: Path) -> None:
    with serving_site(tmp_path, build.name) as process:
        with process.connect() as client:
            client.send(request(target="/change?all+descriptors+closed"))
            process.line("the worker cannot go on: the application has closed file descriptors of the server")
            process.line("another takes its place")
            client.rest()
        check(process, "mark.")
        stop(process)


@pytest.mark.parametrize("name", ["files of no size", "fewer descriptors than are open", "little memory"])
def test_a_worker_that_has_no_room_left_can_be_replaced(build: SimpleNamespace, name: str, tmp_path: Path) -> None:
    with serving_site(tmp_path, build.name, "--threads 1") as process:
        change(process, name)
        reload(process)
        check(process, "mark.")
        stop(process)
    assert lines_of(tmp_path, "mark.") == 4


def test_started_without_standard_streams(build: SimpleNamespace, tmp_path: Path) -> None:
    _write_site(tmp_path, "")
    options = f"-m fastwsgi site_app:app --chdir {tmp_path} {OPTIONS} --error-logfile error.log"
    command = [sys.executable, *options.split()]
    code = f"import os; [os.close(fd) for fd in range(3)]; os.execv({sys.executable!r}, {command!r})"
    address = tmp_path / "socket"
    with running(["-c", code.replace("127.0.0.1:0", f"unix:{address}")], build.name) as process:
        wait_for(tmp_path / "pid")
        with connected(address) as client:
            assert client.send(request(target="/fail?mark.")).answer().status == 500
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    assert "ArithmeticError: mark." in (tmp_path / "error.log").read_text()
    assert lines_of(tmp_path, "mark.") == 1


def test_nothing_of_the_server_warns(build: SimpleNamespace, tmp_path: Path) -> None:
    options = "--workers 2 --threads 4 --timeout 30 --slow-log 20 --preload"
    with serving_site(tmp_path, build.name, options, python="-X dev -W error") as process:
        check(process, "mark.")
        reload(process)
        stop(process)


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    until(path.exists)


def connected(address: Path) -> Client:
    """A connection to a unix socket, as soon as something listens there."""
    wait_for(address)
    return Client(str(address))
