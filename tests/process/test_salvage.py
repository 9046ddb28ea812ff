"""Access lines of workers that did not end by themselves: the supervisor writes them, and waits for nobody."""

from __future__ import annotations

import json
import logging
import os
import re
import select
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.observe.formats import read_format
from fastwsgi.observe.logs import access_log, error_log
from fastwsgi.observe.waiting import WaitingLines
from fastwsgi.process import salvage as salvage_module
from fastwsgi.process.salvage import Salvage
from fastwsgi.settings.settings import Settings
from tests.helpers.deployments import deployed
from tests.helpers.serving import Client, request

SITE = """
import ctypes, os, signal, time

def app(environ, start_response):
    start_response("200 OK", [])
    path = environ["PATH_INFO"]
    if path == "/exit":
        os._exit(3)
    if path == "/crash":
        ctypes.string_at(0)
    if path == "/hold":
        until = time.monotonic() + float(environ["QUERY_STRING"] or 60)
        while time.monotonic() < until:  # a signal interrupts the sleep
            ctypes.PyDLL(None).usleep(int(max(0, until - time.monotonic()) * 1e6))
    if path == "/begun":
        start_response("200 OK", [], (ValueError, ValueError(), None))(b"begun")
    if path in ("/begun", "/silent"):
        time.sleep(60)
    return [str(os.getpid()).encode()]
"""

HANDLERS = {
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "loggers": {"fastwsgi.access": {"handlers": ["null"], "level": "INFO"}},
}


@pytest.mark.parametrize("end", ["KILL", "/exit", "/crash", "/hold", "QUIT"])
def test_no_line_is_lost_with_a_worker(build: SimpleNamespace, tmp_path: Path, end: str) -> None:
    log = tmp_path / "log"
    logged = {"access_logfile": str(log), "access_log_format": "%(r)s %(s)s"}
    with deployed(tmp_path, build.name, SITE, workers=1, timeout=0.5, **logged) as server:
        pid = int(server.ask("/0"))
        for number in range(1, 10):
            assert int(server.ask(f"/{number}")) == pid
        if end == "KILL":
            os.kill(pid, signal.SIGKILL)
        elif end != "QUIT":
            with Client(server.address) as client:
                client.send(request(target=end))
                server.wait_for_end_of(pid)
        if end != "QUIT":
            assert int(server.ask("/10")) != pid
        server.signal(signal.SIGQUIT if end == "QUIT" else signal.SIGTERM)
        assert server.wait() == 0
    lines = [line for line in log.read_text().splitlines() if line.endswith("200")]
    asked = [f"GET /{number} HTTP/1.1 200" for number in range(10 if end == "QUIT" else 11)]
    assert (lines if HAS_GIL else sorted(lines)) == (asked if HAS_GIL else sorted(asked))  # loops come one by one


@pytest.mark.skipif(HAS_GIL, reason="with a GIL there is one loop")
def test_no_line_of_several_loops_is_lost(build: SimpleNamespace, tmp_path: Path) -> None:
    """The log is renamed while they write, and then the worker is killed."""
    log = tmp_path / "log"
    logged = {"access_logfile": str(log), "access_log_format": "%(r)s %(s)s"}
    with deployed(tmp_path, build.name, SITE, workers=1, threads=4, loops=4, **logged) as server:
        pid = int(server.ask("/0/0"))

        def ask(client: int) -> None:
            for number in range(100):
                assert int(server.ask(f"/{client}/{number}")) == pid
                if (client, number) == (1, 50):
                    log.rename(tmp_path / "log.1")
                    server.signal(signal.SIGUSR1)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(ask, range(1, 7)))
        os.kill(pid, signal.SIGKILL)
        assert int(server.ask("/0/1")) != pid
        server.signal()
        assert server.wait() == 0
    lines = [line for name in ("log.1", "log") for line in (tmp_path / name).read_text().splitlines()]
    asked = [(0, 0), (0, 1), *((client, number) for client in range(1, 7) for number in range(100))]
    assert sorted(lines) == sorted(f"GET /{client}/{number} HTTP/1.1 200" for client, number in asked)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize(("seconds", "handlers"), [(1.2, {}), (60, {}), (60, HANDLERS)])
def test_the_answer_of_the_monitor_has_its_line(
    tmp_path: Path, threads: int, seconds: float, handlers: dict[str, object]
) -> None:
    """Whether the call that has held the GIL returns in the end, or the worker is killed.

    Without a GIL the watchdog answers, which does so at length, unless it is late, or everything is held up before: a
    loop that still starts its threads may do that, so there is one.
    """
    log = tmp_path / "log"
    logged = {"access_logfile": str(log), "access_log_format": "%(h)s %(r)s %(s)s %(B)s %(a)s %(t)s %(M)s"}
    if handlers:
        (tmp_path / "log.json").write_text(json.dumps(handlers))
        logged["log_config"] = str(tmp_path / "log.json")
    with deployed(tmp_path, "c", SITE, workers=1, timeout=0.3, threads=threads, loops=1, **logged) as server:
        with Client(server.address) as client:
            client.send(request(target=f"/hold?{seconds}", fields=[("User-Agent", "me")]))
            assert client.answer().status == 504
        assert server.ask("/")
        server.signal()
        assert server.wait() == 0
    held = [line for line in log.read_text().splitlines() if "hold" in line]
    assert len(held) == 1
    size = "0" if HAS_GIL else "(?:0|20)"  # 20: the watchdog's
    found = re.fullmatch(rf"127.0.0.1 GET /hold\?{seconds} HTTP/1.1 504 {size} me \[[^]]+\] (\d+)", held[0])
    assert found is not None, held
    assert int(found[1]) >= 300


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_requests_that_a_stop_cuts_are_named(
    build: SimpleNamespace, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "log"
    logged = {"access_logfile": str(log), "access_log_format": "%(r)s %(s)s %(B)s"}
    with deployed(tmp_path, build.name, SITE, workers=1, threads=4, graceful_timeout=0.3, **logged) as server:
        with Client(server.address) as begun, Client(server.address) as silent, Client(server.address) as body:
            begun.send(request(target="/begun?a")).until(b"begun")
            silent.send(request(target="/silent?a"))
            body.send(request("POST", "/body", [("Content-Length", "3"), ("Expect", "100-continue")])).until(b"100 ")
            server.signal(number)
            why = {signal.SIGTERM: "as --graceful-timeout is over", signal.SIGQUIT: "as the end does not wait for them"}
            line = server.line(f"3 requests are cut, {why[number]}: (.*)")[1]
            assert server.wait() == 0
    assert {name.strip() for name in line.split(",")} == {
        "GET /begun?... from 127.0.0.1",
        "GET /silent?... from 127.0.0.1",
        "POST /body from 127.0.0.1",
    }
    assert log.read_text() == "GET /begun?a HTTP/1.1 200 5\n"


# What the supervisor does with them


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(error_log, "propagate", True)
    return caplog


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "pipe")
    return str(tmp_path / "pipe")


def left(count: int, build: SimpleNamespace) -> WaitingLines:
    """Memory in which a worker has left *count* lines of 100 bytes."""
    waiting = WaitingLines()
    lines = build.access.Lines(read_format("%(h)s"), waiting, lambda: None)
    for number in range(count):
        lines.refuse(
            SimpleNamespace(
                host=f"{number:099}", code=400, sent=0, note=None, line=None, version=0, spent=-1.0, environ={}
            )
        )
    return waiting


def test_a_pipe_that_nobody_reads_holds_up_nothing(
    build: SimpleNamespace, pipe: str, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    salvage, settings = Salvage(), Settings(access_logfile=pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    salvage.take([left(2000, build)], settings)
    salvage.take([left(3, build)], settings)
    assert salvage.next_try is not None
    read = b""
    while salvage.next_try is not None:
        while select.select([reader], [], [], 0)[0]:
            read += os.read(reader, 65536)
        salvage.advance(salvage.next_try)
    read += os.read(reader, 65536)
    assert [int(line) for line in read.splitlines()] == [*range(2000), *range(3)]
    assert told.messages == []
    # At the end, it does not wait long
    monkeypatch.setattr(salvage_module, "AT_THE_END", 0.05)
    salvage.take([left(2000, build)], settings)
    salvage.close()
    kept = len(os.read(reader, 1 << 20)) // 100
    assert 0 < kept < 2000
    assert told.messages == [
        f"access log: {2000 - kept} lines of a worker that has ended were dropped: nobody reads them"
    ]
    os.close(reader)


def test_lines_wait_for_a_reader_only_so_long(
    build: SimpleNamespace, pipe: str, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(salvage_module, "MOST", 400000)
    salvage, settings = Salvage(), Settings(access_logfile=pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    for _ in range(3):
        salvage.take([left(2000, build)], settings)
    assert told.messages == [
        "access log: 2000 lines of a worker that has ended were dropped: nobody reads them"
    ]
    assert salvage.next_try is not None
    while salvage.next_try is not None:  # once, unless the machine has stood still
        salvage.advance(salvage.next_try + salvage_module.SECONDS)
    assert len(told.messages) == 3
    os.close(reader)


def test_a_log_that_cannot_be_opened_is_told(build: SimpleNamespace, told: pytest.LogCaptureFixture) -> None:
    salvage = Salvage()
    salvage.take([left(3, build)], Settings(access_logfile="/nowhere/at/all"))
    salvage.take([left(0, build)], Settings(access_logfile="/nowhere/at/all"))
    salvage.take([], Settings())
    assert salvage.next_try is None
    assert told.messages == [
        "access log: 3 lines of a worker that has ended were dropped: No such file or directory"
    ]


def test_handlers_of_a_configuration_get_them(build: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[str] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: records.append(record.getMessage()))
    monkeypatch.setattr(access_log, "handlers", [handler])
    monkeypatch.setattr(access_log, "level", logging.INFO)
    Salvage().take([left(3, build)], Settings(log_config={"version": 1}))
    assert [int(record) for record in records] == [0, 1, 2]
