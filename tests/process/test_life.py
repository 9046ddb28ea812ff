"""The lines about start, stop, end and workers: through the error log, whatever that is."""

from __future__ import annotations

import os
import pty
import re
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastwsgi.gil import HAS_GIL
from fastwsgi.version import VERSION
from tests.helpers.deployments import deployed, starting
from tests.helpers.processes import ROOT, python_path, running
from tests.helpers.serving import request

LOOPS = "" if HAS_GIL else "( in [0-9]+ loops)?"  # as many as there are CPUs
HELD = request(target="/wait?60")
SINGLE = """
import signal, sys, fastwsgi
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/wait":
        print("entered", flush=True)
        for _ in range(600):  # in parts, as a signal may come before the call that it would interrupt
            signal.sigtimedwait([signal.SIGRTMIN], 0.1)
    return [b"hello"]
fastwsgi.serve(app, bind="127.0.0.1:0", **eval(sys.argv[1]))
"""


def entries(lines: list[str]) -> list[str]:
    """The entries of the error log, without time, and with 0 for process IDs."""
    found = [re.search(r"\d{4}-\S+ \S+ \[\d+\] (.*)", line) for line in lines]
    return [re.sub(r"(pid|worker) \d+", r"\1 0", match[1]) for match in found if match is not None]


def test_the_life_of_a_service_in_its_error_log(build: SimpleNamespace, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with starting(tmp_path, build.name, workers=1, threads=2, error_logfile=str(log)) as server:
        with server.connect(log=log) as client:
            client.send(HELD)
            server.line("entered")
            server.signal()
            server.found_in(log, "stopping: 1 request in flight, up to 30 s; a second SIGTERM ends it at once")
            server.signal()
            assert server.wait() == 0
    first, *rest = entries(log.read_text().splitlines())
    gil = "" if HAS_GIL else "without a GIL, "
    start = rf"INFO fastwsgi {VERSION} \({build.title} build, {gil}pid 0\), 1 worker x 2 threads{LOOPS}, listening on http://\S+"
    assert re.fullmatch(start, first)
    assert rest[0] == "INFO worker 0 started"
    assert rest[2] == "INFO stopping at once"
    assert rest[-2:] == ["INFO worker 0 ended", "INFO stopped"]
    assert [line for line in server.seen if line] == ["entered"]


@pytest.mark.parametrize("threads", [1, 4])
def test_the_life_of_a_single_process(build: SimpleNamespace, threads: int) -> None:
    settings = repr({"threads": threads, "graceful_timeout": 7})
    with running(["-c", SINGLE, settings], build.name) as server:
        with server.connect() as client:
            client.send(HELD)
            server.line("entered")
            server.signal(signal.SIGINT)
            server.line("stopping: 1 request in flight, up to 7 s; a second Ctrl-C ends it at once")
            server.signal(signal.SIGINT)
            assert server.wait() == 0
    told = entries(server.seen)
    assert re.search(rf" 1 process x {threads} threads?{LOOPS}, listening on http:", told[0])
    assert "INFO stopping at once" in told
    assert told[-1] == "INFO stopped"
    assert not any("stop with" in line for line in told)  # there is no terminal


def test_a_stop_of_an_idle_service(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=2) as server:
        server.workers(2)
        server.signal()
        assert server.wait() == 0
    told = entries(server.seen)
    assert "INFO stopping: 0 requests in flight; a second SIGTERM ends it at once" in told
    assert told.count("INFO worker 0 ended") == 2
    assert told[-1] == "INFO stopped"


def test_a_signal_to_the_whole_group(tmp_path: Path) -> None:
    """As `kill -- -PGID`, or systemd, sends it."""
    with deployed(tmp_path, "py", workers=2) as server:
        workers = server.workers(2)
        server.signal(signal.SIGSTOP)  # so that the workers are sure to be first
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        server.signal()
        server.signal(signal.SIGCONT)
        assert server.wait() == 0
    told = entries(server.seen)
    assert told.count("INFO worker 0 stops with the group") == 2
    assert not any("replaced" in line for line in told)


CLOSING = """
import sys
def app(environ, start_response):
    sys.stdout.close()
    sys.stderr.close()
    start_response("200 OK", [])
    return [b"closed"]
"""


def test_a_worker_whose_streams_the_application_has_closed_ends_as_any_other(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", CLOSING) as server:
        assert server.ask() == b"closed"
        server.signal()
        assert server.wait() == 0
    assert "INFO worker 0 ended" in entries(server.seen)
    assert not any("lost sys.stderr" in line for line in server.seen)


@pytest.mark.parametrize("options", ["", "--max-requests-jitter 3"])
def test_the_level_holds_for_all_of_it(tmp_path: Path, options: str) -> None:
    """Notices about settings are warnings."""
    path = tmp_path / "socket"
    command = f"-m fastwsgi fastwsgi.demo:app -b unix:{path} --log-level warning {options}".split()
    with running(command, "py", container="yes") as server:
        while not path.exists():
            assert server.process.poll() is None
        server.signal()
        assert server.wait() == 0
    notice = "WARNING --max-requests-jitter has no effect without --max-requests"
    assert entries(server.seen) == ([notice] if options else [])


def test_a_failure_to_start_is_in_the_file_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for arguments in ("no_such_module:app -b 127.0.0.1:0", "fastwsgi.demo:app -b nowhere.invalid:1"):
        with running([*f"-m fastwsgi {arguments} --error-logfile".split(), str(log)], "py") as server:
            assert server.wait() == 1
        (line,) = [line for line in server.seen if line.startswith("fastwsgi: ")]
        assert f"ERROR {line[len('fastwsgi: '):]}" in entries(log.read_text().splitlines())


# On a terminal

COMMAND = "-m fastwsgi fastwsgi.demo:app -b 127.0.0.1:0 --max-requests-jitter 3"
YELLOW = "\x1b[33mWARNING\x1b[0m --max"


def shown_on_terminal(options: str, **variables: str) -> list[str]:
    """The lines on a terminal until the first worker has started; then Ctrl-C is pressed."""
    pid, terminal = pty.fork()
    if pid == 0:
        inherited = {name: text for name, text in os.environ.items() if not name.endswith("_COLOR")}
        ours = {"FASTWSGI_BACKEND": "py", "PYTHONPATH": python_path(ROOT), "TERM": "xterm", "container": "yes"}
        os.execve(sys.executable, [sys.executable, *f"{COMMAND} {options}".split()], {**inherited, **ours, **variables})
    shown = b""
    while not re.search(rb"worker \d+ started\r\n", shown):
        shown += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    while b" stopped" not in shown:
        shown += os.read(terminal, 4096)
    assert os.waitpid(pid, 0) == (pid, 0)
    os.close(terminal)
    return shown.decode().split("\r\n")


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ("", "INFO requests are shown with --access-logfile -; stop with Ctrl-C"),
        ("--access-logfile -", "INFO stop with Ctrl-C"),
    ],
)
def test_the_second_line_on_a_terminal_says_how_to_see_requests(options: str, hint: str) -> None:
    lines = shown_on_terminal(options)
    assert YELLOW in lines[0]
    told = entries(lines)
    assert " listening on " in told[1]
    assert told[2] == hint
    assert "second Ctrl-C" in told[4]
    assert not any("group" in line for line in told)


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"TERM": "dumb", "FORCE_COLOR": "1"}, True)],
)
def test_who_wants_no_colours_gets_none(variables: dict[str, str], coloured: bool) -> None:
    assert (YELLOW in shown_on_terminal("", **variables)[0]) == coloured
