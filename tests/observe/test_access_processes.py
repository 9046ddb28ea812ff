"""The access log of processes: files that are rotated, shared or inherited, and whole when a process ends."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import backend
from fastwsgi.observe.files import LogFile
from fastwsgi.observe.logs import Logs
from fastwsgi.settings.settings import Settings
from tests.helpers.access_logs import CLIENT, REFUSAL, log_to, refuse
from tests.helpers.processes import running
from tests.helpers.serving import PATIENCE, request

# Rotation


def test_the_log_is_reopened_by_its_path(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "log"
    logs = Logs(Settings(access_logfile=str(path), access_log_format="%(s)s"), build)
    access = logs.for_loop().access
    assert logs.access is not None
    assert access is not None
    refuse(access, 1)
    logs.access.flush()
    path.rename(tmp_path / "log.1")
    refuse(access, 1)
    logs.access.flush()
    logs.reopen()
    refuse(access, 1)
    logs.close()
    assert (tmp_path / "log.1").read_text() == "400\n400\n"
    assert path.read_text() == "400\n"


def test_lines_from_before_a_rotation_are_in_the_old_file(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with log_to(LogFile(str(path)), build) as log:
        refuse(log, 1)
        path.rename(tmp_path / "log.1")
        log.reopen()
        refuse(log, 2)
    assert [len((tmp_path / name).read_text().splitlines()) for name in ("log.1", "log")] == [1, 2]


def test_a_log_that_cannot_be_reopened_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "folder" / "log"
    path.parent.mkdir()
    logs = Logs(Settings(access_logfile=str(path), access_log_format="%(s)s"), backend.current())
    path.parent.rename(tmp_path / "other")
    logs.reopen()
    access = logs.for_loop().access
    assert access is not None
    refuse(access, 1)
    logs.close()
    assert (tmp_path / "other" / "log").read_text() == "400\n"
    (message,) = caplog.messages
    assert message.startswith(f"cannot reopen {path}: No such file")


# Processes


def test_a_fork_writes_nothing_twice(build: SimpleNamespace, tmp_path: Path) -> None:
    """The child has the parent's buffer in its memory, and not its file."""
    path = tmp_path / "log"
    with log_to(LogFile(str(path)), build, "%(s)s") as log:
        refuse(log, 3)
        child = os.fork()
        if child == 0:
            try:
                log.request_refused(CLIENT, REFUSAL)
                log.tick()
                log.close()
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert path.read_text() == ""
    assert path.read_text() == "400\n400\n400\n"


def test_two_processes_share_a_file(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "log"
    children = []
    for number in range(2):
        child = os.fork()
        if child == 0:
            try:
                client = SimpleNamespace(host=str(number) * 60)
                with log_to(LogFile(str(path)), build) as log:
                    for _ in range(50):
                        for _ in range(100):
                            log.request_refused(client, REFUSAL)
                        log.flush()
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    lines = path.read_text().splitlines()
    assert len(lines) == 10000
    assert set(lines) == {f"{number * 60} 400" for number in "01"}


SERVER = """
import fastwsgi, os, signal, sys
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    if environ["PATH_INFO"] == "/exit": sys.exit(3)
    return [b"ok"]
fastwsgi.serve(app, bind="127.0.0.1:0", access_logfile=sys.argv[1], access_log_format="%(r)s %(s)s")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_leaves_every_line_on_the_disk(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "log"
    with running(["-c", SERVER, str(path)], backend.NAME) as process:
        with process.connect() as client:
            for target in ("/a", "/b"):
                client.send(request(target=target)).answer()
            client.send(request(target="/exit")).answer()
        process.signal(number)
        assert process.wait() == 0
    assert path.read_text() == "GET /a HTTP/1.1 200\nGET /b HTTP/1.1 200\nGET /exit HTTP/1.1 500\n"


def test_rotation_of_a_whole_server(tmp_path: Path) -> None:
    """Two workers and a supervisor, after USR1: the files of the paths get what comes, and nothing is lost."""
    accesses, errors = tmp_path / "accesses", tmp_path / "errors"
    options = ["-b", "127.0.0.1:0", "-w", "2", "--access-log-format", "%(r)s %(s)s", "--pythonpath", str(tmp_path)]
    (tmp_path / "rotated.py").write_text(
        "def app(environ, start_response):\n"
        "    environ['wsgi.errors'].write('told\\n')\n"
        "    start_response('200 OK', [])\n"
        "    return [b'ok']\n"
    )
    logs = ["--access-logfile", str(accesses), "--error-logfile", str(errors)]
    with running(["-m", "fastwsgi", "rotated:app", *options, *logs], backend.NAME) as process:
        for number in range(10):
            with process.connect(log=errors) as client:
                client.send(request(target=f"/{number}")).answer()
        for path in (accesses, errors):
            path.rename(f"{path}.1")
        process.signal(signal.SIGUSR1)
        assert waits_for(lambda: accesses.exists() and process_files(process.pid, errors) == 3)
        assert waits_for(lambda: process_files(process.pid, accesses) == 2)
        for number in range(10, 20):
            with process.connect() as client:
                client.send(request(target=f"/{number}")).answer()
        process.signal()
        assert process.wait() == 0
    asked = [f"GET /{number} HTTP/1.1 200" for number in range(20)]
    old, new = (Path(f"{accesses}.1").read_text().splitlines(), accesses.read_text().splitlines())
    assert sorted(old + new) == sorted(asked)
    assert {*asked[10:]} <= {*new}
    assert errors.read_text().count("told") == 10


def waits_for(condition: Any) -> bool:
    """Whether *condition* comes true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        select.select([], [], [], 0.01)
    return True


def process_files(pid: int, path: Path) -> int:
    """How many of the process *pid* and its children have *path* open."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(
        any(os.path.realpath(fd) == str(path) for fd in Path(f"/proc/{one}/fd").iterdir()) for one in (pid, *children)
    )


CRASH = """
import sys
from types import SimpleNamespace
from fastwsgi import backend
from fastwsgi.http.errors import HttpError
from fastwsgi.settings.settings import Settings
from fastwsgi.observe.logs import Logs
logs = Logs(Settings(access_logfile=sys.argv[1], access_log_format="%(s)s"), backend.current())
access = logs.for_loop().access
logs.access.tick()
access.request_refused(SimpleNamespace(host=""), HttpError(400, "no matter"))
{}
"""


@pytest.mark.parametrize("end", ["raise ValueError", "sys.exit(1)", "1 // 0"])
def test_an_end_by_an_exception_leaves_every_line_on_the_disk(tmp_path: Path, end: str) -> None:
    path = tmp_path / "log"
    with running(["-c", CRASH.format(end), str(path)], backend.NAME) as process:
        assert process.wait() == 1
    assert path.read_text() == "400\n"


def test_standard_output(tmp_path: Path) -> None:
    with running(["-c", SERVER, "-"], backend.NAME) as process:
        with process.connect() as client:
            client.send(request(target="/a")).answer()
        assert process.line(re.escape("GET /a HTTP/1.1 200"))
        process.signal()
        assert process.wait() == 0
