"""wsgi.errors: as it is in the log's own file, and one record for the handlers of a configuration."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.observe.error import error_log, set_up_error_log, wsgi_log
from fastwsgi.observe.error_stream import LONGEST, ErrorStream
from fastwsgi.observe.logs import log_error
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import serving


class Kept(logging.Handler):
    """Keeps records, as levels and messages."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append((record.levelname, record.getMessage()))


@pytest.fixture(autouse=True)
def fresh_log() -> Iterator[None]:
    before = error_log.handlers[:], error_log.propagate
    yield
    error_log.handlers, error_log.propagate = before
    error_log.setLevel(logging.NOTSET)
    wsgi_log.setLevel(logging.NOTSET)


def own_file(folder: Path) -> Path:
    """The error log's own file. (Not a fixture: pytest gives loggers handlers before a test, and behind fixtures.)"""
    error_log.handlers = []
    set_up_error_log(Settings(error_logfile=str(folder / "log"), log_level="critical"))
    return folder / "log"


def keep() -> list[tuple[str, str]]:
    """The records that a configured handler gets from now on."""
    handler = Kept()
    error_log.handlers, error_log.propagate = [handler], False
    return handler.records


def fail(errors: Any) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        traceback.print_exc(file=errors)


def in_thread(called: Any) -> None:
    thread = threading.Thread(target=called)
    thread.start()
    thread.join()


# As it is


def test_text_passes_as_it_is(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    errors = ErrorStream()
    assert errors.write("[2026] WARNING in shop: no \u20ac \ud800\n  second line\n") == 45
    errors.writelines(["a", "b\n"])
    print("c", "d", file=errors)
    assert path.read_text("utf-8") == "[2026] WARNING in shop: no \u20ac \\ud800\n  second line\nab\nc d\n"
    with pytest.raises(TypeError, match=r"^wsgi\.errors takes text, not bytes$"):
        errors.write(b"bytes")  # type: ignore[arg-type]


def test_loops_have_a_stream_each_and_whole_lines(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    requests = [SimpleNamespace(has_messages=False, end_messages=None) for _ in range(4)]

    def run(number: int) -> None:
        stream = ErrorStream()
        stream.attach(requests[number])
        for _ in range(200):
            stream.write(str(number) * 30)
            assert requests[number].has_messages
            stream.write(str(number) * 30)
            stream.end_request()
            assert not requests[number].has_messages

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert sorted(path.read_text().splitlines()) == [str(number) * 60 for number in range(4) for _ in range(200)]


def test_whole_lines_do_not_wait_and_a_begun_one_does(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    errors = ErrorStream()
    errors.write("one\ntw")
    assert path.read_text() == "one\n"
    errors.flush()
    assert path.read_text() == "one\ntw"
    errors.write("o\n")
    errors.write("three")
    errors.end_request()
    errors.end_request()
    assert path.read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("flushed", [False, True])
def test_lines_of_several_threads_and_requests_do_not_mix(tmp_path: Path, flushed: bool) -> None:
    path = own_file(tmp_path)
    errors = ErrorStream()
    errors.write("mine, ")
    if flushed:
        errors.flush()
    in_thread(lambda: errors.write("yours\n"))
    log_error("entry", None)
    errors.end_request()
    errors.write("next\n")
    lines = [line for line in path.read_text().splitlines() if "entry" not in line]
    assert lines == (["mine, ", "yours", "next"] if flushed else ["yours", "mine, ", "next"])


def test_what_a_thread_of_the_application_begins_is_written_within_two_seconds(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    errors = ErrorStream()
    in_thread(lambda: errors.write("begun"))
    errors.tick()
    assert path.read_text() == ""
    errors.tick()
    assert path.read_text() == "begun\n"
    errors.write("last")
    errors.end_all()
    assert path.read_text() == "begun\nlast\n"


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    errors = ErrorStream()
    for _ in range(3):
        errors.write("x" * (LONGEST // 2))
    assert path.read_text() == "x" * (LONGEST // 2 * 3)
    errors.end_request()
    errors.write("next\n")
    assert path.read_text() == "x" * (LONGEST // 2 * 3) + "\nnext\n"


def test_a_write_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_file(tmp_path)
    writes: list[bytes] = []
    monkeypatch.setattr("fastwsgi.observe.whole_writes.os.write", lambda fd, data: writes.append(data) or len(data))
    ErrorStream().write("a\nb\n" * 9)
    assert writes == [b"a\nb\n" * 9]


def test_a_forked_child_writes_nothing_twice(tmp_path: Path) -> None:
    path = own_file(tmp_path)
    errors = ErrorStream()
    errors.write("parent's ")
    child = os.fork()
    if child == 0:
        errors.write("child's\n")
        os._exit(0)
    os.waitpid(child, 0)
    errors.write("line\n")
    assert path.read_text() == "child's\nparent's line\n"


def test_a_stream_in_the_place_of_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is closed, the text is lost."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    error_log.handlers, error_log.propagate = [], False
    set_up_error_log(Settings())
    errors = ErrorStream()
    errors.write("there\n")
    assert stream.getvalue() == "there\n"
    stream.close()
    errors.write("gone\n")
    errors.close()


# Records


def test_a_write_of_several_lines_is_one_record() -> None:
    kept = keep()
    errors = ErrorStream()
    errors.write("first\n  second\n")
    errors.flush()
    errors.flush()
    assert kept == [("ERROR", "first\n  second")]


def test_a_traceback_is_one_record() -> None:
    kept = keep()
    errors = ErrorStream()
    fail(errors)
    assert kept == []
    errors.end_request()
    assert len(kept) == 1
    assert kept[0][1].startswith("Traceback (most recent call last):\n")
    assert kept[0][1].endswith("\nValueError: why")


def test_the_configuration_names_the_level() -> None:
    kept = keep()
    error_log.setLevel("CRITICAL")
    wsgi_log.setLevel("INFO")
    print("printed", file=ErrorStream(), flush=True)
    assert kept == [("INFO", "printed")]


def test_a_record_is_bounded() -> None:
    kept = keep()
    errors = ErrorStream()
    errors.write("x" * LONGEST)
    assert kept == []
    errors.write("y")
    assert kept == [("ERROR", "x" * LONGEST + "y")]


def test_a_file_beside_other_handlers_has_the_text_as_it_is(tmp_path: Path) -> None:
    kept = keep()
    set_up_error_log(Settings(error_logfile=str(tmp_path / "log")))
    print("one\ntwo", file=ErrorStream(), flush=True)
    assert kept == [("ERROR", "one\ntwo")]
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


# In requests


@pytest.mark.parametrize("threads", [1, 4])
def test_the_end_of_a_request_ends_what_it_has_begun(build: SimpleNamespace, tmp_path: Path, threads: int) -> None:
    """Also what its iterable writes, at the latest in close()."""
    path = own_file(tmp_path)

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        try:
            environ["wsgi.errors"].write("begun, ")
            start_response("200 OK", [("Content-Length", "1")])
            yield b"x"
        finally:
            environ["wsgi.errors"].write("ended")

    with serving(build, app, threads=threads) as server:
        for _ in range(2):
            server.ask()
    assert not server.loop.service.has_messages
    assert path.read_text() == "begun, ended\nbegun, ended\n"


def test_what_flask_logs(build: SimpleNamespace, tmp_path: Path) -> None:
    path = own_file(tmp_path)
    error_log.addHandler(kept := Kept())
    flask = pytest.importorskip("flask")
    site = flask.Flask("shop")
    site.logger.addHandler(flask.logging.default_handler)  # which it leaves out where the root has handlers

    @site.route("/")
    def view() -> str:
        site.logger.warning("no stock")
        raise ArithmeticError

    with serving(build, site) as server:
        assert server.ask().status == 500
    text = path.read_text()
    assert re.match(r"\[[^]]+\] WARNING in test_error_stream: no stock\n\[[^]]+\] ERROR in app: Exception on /", text)
    assert [message.splitlines()[-1].split("] ")[-1] for _, message in kept.records] == [
        "WARNING in test_error_stream: no stock",
        "ArithmeticError",
    ]
