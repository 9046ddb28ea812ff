"""How the access log gets to the disk: soon, whole, by a thread; and no request waits, whatever the disk does."""

from __future__ import annotations

import gc
import os
import re
import select
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import backend
from fastwsgi.figures import LINES_DROPPED
from fastwsgi.mistakes import Mistake
from fastwsgi.observe import access
from fastwsgi.observe.access import AccessLog
from fastwsgi.observe.entries import Entries
from fastwsgi.observe.error import error_log
from fastwsgi.observe.error_handlers import ErrorFile
from fastwsgi.observe.files import LogFile
from fastwsgi.observe.formats import read_format
from fastwsgi.observe.logs import Logs
from fastwsgi.observe.outputs import FileAndLogger, LoggerOutput
from fastwsgi.observe.waiting import Piece
from fastwsgi.settings.settings import Settings
from tests.helpers.access_logs import log_to, refuse
from tests.helpers.serving import GET, PATIENCE, answering, request, serving


class Output:
    """A file of the test's own: it may be full, or hold up who writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.error: OSError | None = None
        self.open = threading.Event()
        self.open.set()
        self.wrote = threading.Event()

    fd = -1
    piece = 1048576
    is_terminal = False

    def write_piece(self, lines: Any, piece: Piece) -> int:
        assert self.open.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        taken = min(piece.size, 100000)
        self.written.append(lines.waiting.read(piece)[:taken])
        lines.waiting.note_written(piece, taken)
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
    with log_to(output, build) as log, serving(build, answering(b"hello"), log.recorder) as server:
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


# A terminal


def test_on_a_terminal_lines_come_in_the_order_of_events(
    build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "PERIOD", 1000)
    monkeypatch.setattr(error_log, "handlers", [])
    reading, writing = os.openpty()
    errors = ErrorFile("-")
    os.dup2(writing, errors.file.fd)
    error_log.addHandler(errors)
    with log_to(LogFile("-", writing), build, "%(h)s") as log:
        with log._writing:
            refuse(log, 2, SimpleNamespace(host="first"))  # the thread cannot write now
        error_log.error("second")
        refuse(log, 1, SimpleNamespace(host="third"))
        seen = b""
        while b"third" not in seen:
            seen += os.read(reading, 1000)
    errors.end()
    assert re.findall(rb"first|second|third", seen) == [b"first", b"first", b"second", b"third"]
    os.close(reading)
    os.close(writing)


def test_a_terminal_beside_the_handlers_of_a_configuration_gets_lines_at_once() -> None:
    theirs, ours = os.openpty()
    file = LogFile(os.ttyname(ours))
    assert FileAndLogger(file, LoggerOutput(Entries(None))).is_terminal
    file.close()
    os.close(theirs)
    os.close(ours)


# What the disk may do


LONG = SimpleNamespace(host="x" * 10000)


def test_a_full_disk_holds_nobody_up_and_loses_what_memory_does_not_take(
    build: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    output = Output()
    output.error = OSError(28, "No space left on device")
    meter = build.meter.Meter()
    with log_to(output, build) as log:
        log.recorder.count_with(meter)
        refuse(log, 100)
        assert not log.flush()
        refuse(log, 600, LONG)  # 6 MB
        assert not log.flush()
        assert caplog.messages == []
        output.error = None
        assert log.flush()
        kept = len(output.lines)
        (message,) = caplog.messages
        assert message == f"access log: {700 - kept} lines were dropped: No space left on device"
        assert meter.view[LINES_DROPPED] == 700 - kept
        assert 500 <= kept < 520
        # Once a minute is enough
        output.error = OSError(28, "No space left on device")
        refuse(log, 600, LONG)
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
    with serving(build, answering(b"hello"), logs.for_loop().observer) as server, server.connect() as client:
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
    with serving(build, answering(b"hello"), logs.for_loop().observer) as server, server.connect() as client:
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
    logs.access.output.close()


def test_a_named_pipe_without_a_reader_is_a_mistake(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Mistake, match="No such device"):
        Logs(Settings(access_logfile=str(tmp_path / "pipe")), backend.current())


def test_a_log_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="No such file"):
        Logs(Settings(access_logfile=str(tmp_path / "missing" / "log")), backend.current())


def test_pipes_get_whole_lines_in_pieces_that_stay_whole(build: SimpleNamespace) -> None:
    reading, writing = os.pipe()
    file, lines = LogFile("-", writing), []
    with log_to(file, build, "%(h)s") as log:
        waiting = log.recorder.waiting
        for host in [*(f"{number} {'x' * 90}" for number in range(100)), "y" * 5000, "z"]:
            refuse(log, 1, SimpleNamespace(host=host))
            lines.append(f"{host}\n")
        sizes = []
        while (piece := waiting.next_piece(file.piece)) is not None:
            assert waiting.read(piece).endswith(b"\n")
            file.write_piece(log.recorder.lines, piece)
            sizes.append(piece.size)
    assert os.read(reading, 65536).decode() == "".join(lines)
    assert [size for size in sizes if size > select.PIPE_BUF] == [5001]
    os.close(reading)
    os.close(writing)


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
