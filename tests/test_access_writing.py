"""How the access log gets to the disk: soon, whole, by a thread; and no request waits, whatever the disk does."""

from __future__ import annotations

import gc
import os
import re
import select
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import running
from serving import GET, PATIENCE, answering, request, serving

from fastwsgi import backend
from fastwsgi.observe import access
from fastwsgi.observe.access import AccessLog
from fastwsgi.observe.files import LogFile
from fastwsgi.observe.formats import read_format
from fastwsgi.observe.logs import Logs
from fastwsgi.settings.settings import Settings

REFUSAL = SimpleNamespace(status=400)
CLIENT = SimpleNamespace(host="192.0.2.1", client="192.0.2.1")


def refuse(log: AccessLog, count: int) -> None:
    """*count* lines; their client tells who has written them."""
    for _ in range(count):
        log.request_refused(CLIENT, REFUSAL)


@contextmanager
def log_to(output: Any, build: SimpleNamespace, format: str = "%(h)s %(s)s") -> Iterator[AccessLog]:
    log = AccessLog(output, read_format(format), build)
    try:
        yield log
    finally:
        log.close()


class Output:
    """A file of the test's own: it may be full, or hold up who writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.error: OSError | None = None
        self.open = threading.Event()
        self.open.set()
        self.wrote = threading.Event()

    def write(self, data: bytes) -> int:
        assert self.open.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        taken = min(len(data), 100000)
        self.written.append(data[:taken])
        self.wrote.set()
        return taken

    @property
    def lines(self) -> list[bytes]:
        text = b"".join(self.written)
        assert not text or text.endswith(b"\n")
        return text.splitlines()

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_the_thread_writes_within_a_second(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert access.PERIOD == 1
    monkeypatch.setattr(access, "PERIOD", 0.05)
    output = Output()
    with log_to(output, build) as log:
        log.tick()
        refuse(log, 1)
        assert output.wrote.wait(PATIENCE)
        assert output.lines == [b"192.0.2.1 400"]


def test_the_loop_starts_the_thread(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "PERIOD", 0.05)
    output = Output()
    with log_to(output, build) as log, serving(build, answering(b"hello"), log) as server:
        server.ask()
        server.advance(1.1)
        assert output.wrote.wait(PATIENCE)


def test_many_lines_are_written_at_once(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "PERIOD", 1000)
    output = Output()
    with log_to(output, build) as log:
        log.tick()
        refuse(log, 30000)
        assert output.wrote.wait(PATIENCE)
    assert output.lines == [b"192.0.2.1 400"] * 30000


@pytest.mark.parametrize("started", [True, False])
def test_closing_writes_the_rest(build: SimpleNamespace, tmp_path: Path, started: bool) -> None:
    for _ in range(2):  # appended
        with log_to(LogFile(str(tmp_path / "log")), build) as log:
            if started:
                log.tick()
            refuse(log, 3)
    assert (tmp_path / "log").read_text().count("\n") == 6


def test_threads_write_whole_lines(build: SimpleNamespace) -> None:
    output = Output()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with log_to(output, build) as log:
            log.tick()
            threads = [threading.Thread(target=refuse, args=(log, 3000)) for _ in range(4)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                log.flush()
    finally:
        sys.setswitchinterval(before)
    assert output.lines == [b"192.0.2.1 400"] * 12000


# What the disk may do


def test_a_full_disk_holds_nobody_up_and_loses_what_memory_does_not_take(
    build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access, "MAX_WAITING", 400000)
    output = Output()
    output.error = OSError(28, "No space left on device")
    with log_to(output, build) as log:
        refuse(log, 100)
        assert not log.flush()
        refuse(log, 60000)  # 840000 bytes
        assert not log.flush()
        assert caplog.messages == []
        output.error = None
        assert log.flush()
        kept = len(output.lines)
        (message,) = caplog.messages
        assert message == f"access log: {60100 - kept} lines were dropped: No space left on device"
        assert 0 < kept < 60000
        # Once a minute is enough
        output.error = OSError(28, "No space left on device")
        refuse(log, 60000)
        assert not log.flush()
        output.error = None
        assert log.flush()
        assert len(caplog.messages) == 1


def test_lines_wait_for_a_disk_that_is_full_for_a_while(
    build: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    output = Output()
    with log_to(output, build) as log:
        output.error = OSError(28, "No space left on device")
        refuse(log, 100)
        assert not log.flush()
        output.error = None
    assert len(output.lines) == 100
    assert caplog.messages == []


def test_lines_that_were_never_written_are_told_at_the_end(
    build: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    with log_to(LogFile("/dev/full"), build) as log:
        refuse(log, 5)
    assert caplog.messages == ["access log: 5 lines were dropped: No space left on device"]


def test_a_full_disk_does_not_stop_the_server(build: SimpleNamespace) -> None:
    logs = Logs(Settings(access_logfile="/dev/full"), build)
    with serving(build, answering(b"hello"), logs.observer) as server, server.connect() as client:
        for _ in range(3):
            assert client.send(GET).answer().body == b"hello"
            server.advance(1.1)
    logs.close()


def test_a_pipe_that_nobody_reads_does_not_stop_the_server(
    build: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "CLOSE_TIMEOUT", 0.1)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    logs = Logs(Settings(access_logfile=str(path), access_log_format="%(q)s"), build)
    assert logs.access is not None
    with serving(build, answering(b"hello"), logs.observer) as server, server.connect() as client:
        logs.access.tick()
        for _ in range(40):
            assert client.send(request(target="/?" + "x" * 8000)).answer().body == b"hello"
        logs.access._wake.set()
        assert client.send(GET).answer().body == b"hello"
        server.advance(1.1)
        assert client.send(GET).answer().body == b"hello"
    logs.close()  # gives up
    thread = logs.access._thread
    assert thread is not None
    assert thread.is_alive()
    os.set_blocking(reader, True)
    while thread.is_alive():
        select.select([reader], [], [], 0.01)[0] and os.read(reader, 65536)
    os.close(reader)
    logs.access._output.close()


def test_a_named_pipe_without_a_reader_is_a_mistake(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        Logs(Settings(access_logfile=str(tmp_path / "pipe")), backend.current())


def test_a_log_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Logs(Settings(access_logfile=str(tmp_path / "missing" / "log")), backend.current())


def test_pipes_get_whole_lines_in_pieces_that_stay_whole() -> None:
    reading, writing = os.pipe()
    file = LogFile("-", writing)
    data = b"".join(b"%d %s\n" % (number, b"x" * 90) for number in range(100))
    sent = 0
    while sent < len(data):
        written = file.write(data[sent:])
        assert 0 < written <= select.PIPE_BUF
        sent += written
        assert data[:sent].endswith(b"\n")
    assert os.read(reading, 65536) == data
    long = b"y" * 5000 + b"\n"
    assert file.write(long + data) == len(long)
    os.close(reading)
    os.close(writing)


# Rotation


def test_the_log_is_reopened_by_its_path(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "log"
    logs = Logs(Settings(access_logfile=str(path), access_log_format="%(s)s"), build)
    assert logs.access is not None
    refuse(logs.access, 1)
    logs.access.flush()
    path.rename(tmp_path / "log.1")
    refuse(logs.access, 1)
    logs.access.flush()
    logs.reopen()
    refuse(logs.access, 1)
    logs.close()
    assert (tmp_path / "log.1").read_text() == "400\n400\n"
    assert path.read_text() == "400\n"


def test_a_log_that_cannot_be_reopened_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "folder" / "log"
    path.parent.mkdir()
    logs = Logs(Settings(access_logfile=str(path), access_log_format="%(s)s"), backend.current())
    path.parent.rename(tmp_path / "other")
    logs.reopen()
    assert logs.access is not None
    refuse(logs.access, 1)
    logs.close()
    assert (tmp_path / "other" / "log").read_text() == "400\n"
    (message,) = caplog.messages
    assert message.startswith(f"cannot reopen {path}: No such file")


# Processes


def test_a_fork_writes_nothing_twice(build: SimpleNamespace, tmp_path: Path) -> None:
    """The child has the parent's buffer in its memory; what it logs itself it writes, by a thread of its own."""
    path = tmp_path / "log"
    with log_to(LogFile(str(path)), build, "%(s)s") as log:
        refuse(log, 3)
        child = os.fork()
        if child == 0:
            try:
                log.request_refused(CLIENT, SimpleNamespace(status=431))
                log.tick()
                log.close()
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert path.read_text() == "431\n"
    assert path.read_text() == "431\n400\n400\n400\n"


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
            with process.connect() as client:
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
from fastwsgi.settings.settings import Settings
from fastwsgi.observe.logs import Logs
logs = Logs(Settings(access_logfile=sys.argv[1], access_log_format="%(s)s"), backend.current())
logs.access.tick()
logs.access.request_refused(SimpleNamespace(host=""), SimpleNamespace(status=400))
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


def test_a_closed_log_leaves_no_trace() -> None:
    reading, writing = os.pipe()
    log = AccessLog(LogFile("-", writing), read_format("combined"), backend.current())
    log.close()
    log.close()
    left = weakref.ref(log)
    del log
    gc.collect()
    assert left() is None
    os.close(reading)
    os.close(writing)
