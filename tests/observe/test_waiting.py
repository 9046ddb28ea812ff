"""Lines that wait in shared memory: whole, in order, each once, whatever becomes of the process that made them."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastwsgi.observe import waiting as waiting_module
from fastwsgi.observe.files import LogFile
from fastwsgi.observe.formats import read_format
from fastwsgi.observe.waiting import HALF, WaitingLines
from tests.helpers.access_logs import REFUSAL, log_to, refuse


def lines_of(build: SimpleNamespace, waiting: WaitingLines) -> SimpleNamespace:
    """Lines with nothing but the client's address."""
    lines = build.access.Lines(read_format("%(h)s"), waiting, lambda: None)

    def add(host: str) -> None:
        lines.refuse(
            SimpleNamespace(host=host, code=400, sent=0, note=None, line=None, version=0, spent=-1.0, environ={})
        )

    return SimpleNamespace(add=add, write=lines.write, disown=lines.disown)


def test_halves_change_places(build: SimpleNamespace, tmp_path: Path) -> None:
    waiting = WaitingLines()
    lines = lines_of(build, waiting)
    file = LogFile(str(tmp_path / "log"))
    for number in range(3):
        lines.add(f"{number}a")
        piece = waiting.next_piece(HALF)
        assert piece is not None
        lines.add(f"{number}b")  # while it is being written
        lines.write(file.fd, piece)
        assert waiting.size == 3
    assert waiting.rest() == b"2b\n"
    assert waiting.size == 0
    assert waiting.next_piece(HALF) is None
    assert (tmp_path / "log").read_text() == "0a\n0b\n1a\n1b\n2a\n"
    file.close()


def test_a_part_that_was_written_is_not_written_again(build: SimpleNamespace) -> None:
    waiting = WaitingLines()
    lines = lines_of(build, waiting)
    lines.add("abc")
    piece = waiting.next_piece(HALF)
    assert piece is not None
    waiting.note_written(piece, 2)
    lines.add("def")
    assert waiting.rest() == b"c\ndef\n"


def test_what_is_left_at_the_end_is_not_dropped_where_somebody_else_writes_it(build: SimpleNamespace) -> None:
    """Another thread may still answer when the log is closed, as at SIGQUIT."""

    class Full(LogFile):
        def write_piece(self, lines: object, piece: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    waiting = WaitingLines()
    with log_to(Full(os.devnull), build, "%(h)s", waiting) as log:
        refuse(log, 1)
    assert waiting.rest() == b"192.0.2.1\n"


def test_what_does_not_fit_is_dropped_and_counted(build: SimpleNamespace) -> None:
    waiting = WaitingLines()
    lines = lines_of(build, waiting)
    for _ in range(45):
        lines.add("x" * 100000)
    kept = waiting.rest().count(b"\n")
    assert 36 <= kept <= 41
    assert waiting.take_dropped() == 45 - kept
    assert waiting.take_dropped() == 0
    lines.add("y")
    assert waiting.rest() == b"y\n"


@pytest.mark.skipif(waiting_module._REMOVE is None, reason="the system cannot give back single pages")
def test_memory_is_given_back(build: SimpleNamespace) -> None:
    waiting = WaitingLines()
    lines = lines_of(build, waiting)
    for _ in range(20):
        lines.add("x" * 100000)
    waiting.rest()
    lines.add("y")  # to the other half ...
    waiting.rest()  # ... so that the first is empty, and ...
    lines.add("z")
    waiting.rest()  # ... has its turn again
    start = waiting_module.HEAD
    assert waiting.memory[start + 100 : start + 1000] == bytes(900)


def test_the_memory_outlives_a_process_that_is_killed(build: SimpleNamespace, tmp_path: Path) -> None:
    """In the middle: some lines are written, others are not."""
    waiting = WaitingLines()
    child = os.fork()
    if child == 0:
        try:
            lines = lines_of(build, waiting)
            file = LogFile(str(tmp_path / "log"))
            for number in range(5):
                lines.add(f"line {number}")
                if number == 2 and (piece := waiting.next_piece(HALF)) is not None:
                    lines.write(file.fd, piece)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (tmp_path / "log").read_text() == "line 0\nline 1\nline 2\n"
    assert waiting.rest() == b"line 3\nline 4\n"
    waiting.close()


def test_a_child_of_the_application_leaves_it_alone(build: SimpleNamespace, tmp_path: Path) -> None:
    waiting = WaitingLines()
    with log_to(LogFile(str(tmp_path / "log")), build, "%(h)s", waiting) as log:
        log.request_refused(SimpleNamespace(host="parent"), REFUSAL)
        child = os.fork()
        if child == 0:
            try:
                log.request_refused(SimpleNamespace(host="child"), REFUSAL)
                log.flush()
                log.close()
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert waiting.size == len("parent\n")
    assert (tmp_path / "log").read_text() == "parent\n"
