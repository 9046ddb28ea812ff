"""Signals of a server in one process, and the hangup of a terminal."""

from __future__ import annotations

import os
import pty
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.processes import ADDRESS, ROOT, python_path, running
from tests.helpers.serving import GET, Client, request

SERVE = """
import os, signal, fastwsgi
{before}
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/held":
        print("entered", flush=True)
        while signal.sigtimedwait([], 0.05) is None:  # in parts: a signal just before a wait is seen behind it
            pass
    return [b"hello"]
fastwsgi.serve(app, bind="127.0.0.1:0", {settings})
print("returned", flush=True)
"""


def test_usr1_reopens_the_logs(build: SimpleNamespace, tmp_path: Path) -> None:
    access, error = tmp_path / "access", tmp_path / "error"
    settings = f"access_logfile={str(access)!r}, error_logfile={str(error)!r}"
    with running(["-c", SERVE.format(before="", settings=settings)], build.name) as server:
        with server.connect(log=error) as client:
            client.send(GET).answer()
        access.rename(tmp_path / "access.1")
        error.rename(tmp_path / "error.1")
        server.signal(signal.SIGUSR1)
        while not (access.exists() and error.exists()):
            assert server.process.poll() is None
        with server.connect() as client:
            client.send(GET).answer()
        server.signal()
        assert server.wait() == 0
    assert "GET / " in access.read_text()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_what_a_single_process_cannot_do_gets_a_line(number: signal.Signals) -> None:
    with running(["-c", SERVE.format(before="", settings="")], "py") as server, server.connect() as client:
        server.signal(number)
        server.line(f"{number.name} .* nothing in a single process: give serve\\(\\) workers=2, or")
        assert client.send(GET).answer().body == b"hello"
        server.signal()
        assert server.wait() == 0


@pytest.mark.parametrize("threads", [1, 4])
def test_quit_ends_at_once(threads: int) -> None:
    with running(["-c", SERVE.format(before="", settings=f"threads={threads}")], "py") as server:
        with server.connect() as client:
            client.send(request(target="/held"))
            server.line("entered")
            server.signal(signal.SIGQUIT)
            server.line("returned")
            assert server.wait() == 0


FROM_FAULTHANDLER = r"\(most recent call first\)|<freed thread state>"  # at times Python 3.14 gets no further


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("signal.signal(signal.SIGUSR1, lambda number, frame: print('mine', flush=True))", "mine"),
        ("import faulthandler; faulthandler.register(signal.SIGUSR1)", FROM_FAULTHANDLER),
    ],
)
def test_handlers_of_the_program_stay(before: str, line: str) -> None:
    with running(["-c", SERVE.format(before=before, settings="")], "py") as server, server.connect():
        server.signal(signal.SIGUSR1)
        server.line(line)


@pytest.mark.parametrize("settings", ["workers=1", "workers=2"])
@pytest.mark.parametrize("ignored", [False, True], ids=["foreground", "nohup"])
def test_a_terminal_that_is_closed_ends_it_but_for_nohup(settings: str, ignored: bool, tmp_path: Path) -> None:
    before = "signal.signal(signal.SIGHUP, signal.SIG_IGN)" if ignored else ""
    log = tmp_path / "log"
    source = SERVE.format(before=before, settings=f"{settings}, error_logfile={str(log)!r}")
    source = source.replace('print("returned", flush=True)', "")  # nowhere
    pid, terminal = pty.fork()
    if pid == 0:
        variables = {**os.environ, "FASTWSGI_BACKEND": "py", "PYTHONPATH": python_path(ROOT)}
        os.execve(sys.executable, [sys.executable, "-c", source], variables)
    while not log.exists() or (found := ADDRESS.search(log.read_text())) is None:
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    os.close(terminal)
    if ignored:
        while "reload" not in log.read_text():
            assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        with Client((found[1], int(found[2]))) as client:
            assert client.send(GET).answer().body == b"hello"
        os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0) == (pid, 0)
