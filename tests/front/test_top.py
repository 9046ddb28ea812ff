"""`fastwsgi top` and `fastwsgi stacks` as processes: on a terminal, in a pipe, and where something is amiss."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, Callable

import pytest

from fastwsgi import cli
from fastwsgi.server.addresses import Tcp
from fastwsgi.status import client
from tests.helpers.deployments import deployed
from tests.helpers.processes import ROOT, printed_by, python_path
from tests.helpers.serving import PATIENCE
from tests.helpers.status_documents import StatusSite, call, document, status_site, verdict, worker
from tests.helpers.terminal import on_terminal

SHOWN = document([worker(0), worker(1, threads_busy=4, queued=12)], [call("/slow/\x1b[31mred", 31.2)])


@pytest.fixture
def site() -> Iterator[StatusSite]:
    """Give a status address that shows SHOWN."""
    with status_site(SHOWN) as site:
        yield site


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "fastwsgi", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": python_path(ROOT), "COLUMNS": "100", **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )


Complaint = Callable[..., str]


@pytest.fixture
def complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complaint:
    """Give a function that runs the command, which must fail with *code*: the one line that it says."""
    monkeypatch.chdir(tmp_path)

    def complaint(*arguments: str, code: int = 1) -> str:
        assert cli.main(arguments) == code
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        return said.err[len("fastwsgi: ") : -1]

    return complaint


# In a pipe


def test_one_table(site: StatusSite, tmp_path: Path) -> None:
    done = run(tmp_path, "top", site.address, "--once", FORCE_COLOR="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "serving"
    assert "GET /slow/\\x1b[31mred" in done.stdout
    assert "\x1b" not in done.stdout


def test_the_document(site: StatusSite, tmp_path: Path) -> None:
    (tmp_path / "fastwsgi.toml").write_text(f'status_bind = "0.0.0.0:{site.port}"\n')
    assert json.loads(run(tmp_path, "top", "--json").stdout) == SHOWN


def test_a_unix_socket(tmp_path: Path) -> None:
    """The address is found as the server finds it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.sock"))
        listener.listen()
        with subprocess.Popen(
            [sys.executable, "-m", "fastwsgi", "stacks"],
            env={**os.environ, "FASTWSGI_STATUS_BIND": "unix:s.sock", "PYTHONPATH": python_path(ROOT)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
        ) as process:
            connection = listener.accept()[0]
            assert connection.recv(4096).startswith(b"GET /stacks HTTP/1.1\r\nHost: localhost\r\n")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nworker 1\n\x1b[31m\n")
            connection.close()
            assert process.communicate()[0] == b"worker 1\n\\x1b[31m\n"
    assert process.returncode == 0


def test_a_table_each_time_without_a_terminal(site: StatusSite, tmp_path: Path) -> None:
    """And no failure when the reader has seen enough."""
    with subprocess.Popen(
        [sys.executable, "-m", "fastwsgi", "top", site.address, "--interval", "0.1"],
        env={**os.environ, "PYTHONPATH": python_path(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [next(process.stdout) for _ in range(25)]
        process.stdout.close()
        assert process.stderr.read() == ""
    assert lines.count("serving\n") >= 2
    assert process.returncode == 0


def test_a_real_service(tmp_path: Path) -> None:
    """The document that it tells is the one that is shown."""
    with deployed(tmp_path, "py", workers=2, status_bind="127.0.0.1:0") as server:
        address = server.line(r"status on http://(\S+)")[1]
        pids = server.workers(2)
        done = run(tmp_path, "top", "--once", address)
        assert (done.returncode, done.stderr) == (0, "")
        assert {int(line.split()[1]) for line in done.stdout.splitlines() if " ready " in line} == pids
        assert "workers 2/2" in done.stdout
        assert run(tmp_path, "stacks", address).returncode == 0


# Mistakes


def test_nobody_listens(complaint: Complaint) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        line = f"nobody listens at {address}: does the service run, with that as --status-bind?"
        for arguments in (("top",), ("top", "--once"), ("top", "--json"), ("stacks",)):
            assert complaint(*arguments, address) == line
    assert complaint("top", "unix:none.sock") == "unix:none.sock: No such file or directory"


def test_somebody_else_listens(site: StatusSite, complaint: Complaint) -> None:
    address = site.address
    assert complaint("stacks", address) == f"{address} answers /stacks with 403: Forbidden"
    for body in (b"<html>", b"[]", b'{"format": {}}', b'{"a": 1}', b"[" * 100_000):
        site.answers["/status.json"] = body
        complaint("top", "--once", address)
    site.show({**SHOWN, "format": 2, "version": "9.0\x1b[31m"})
    line = complaint("top", "--once", address)
    assert line == f"{address} is another version of fastwsgi, 9.0\\x1b[31m: use its own command"


@pytest.mark.parametrize(("piece", "line"), [(b"x", "does not answer within {} s"), (b"x" * 65536, "16 MB")])
def test_an_answer_without_an_end(piece: bytes, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that drips is given up by its time, one that floods by its size."""
    monkeypatch.setattr(client, "PATIENCE_WITH_STACKS", 1.0 if len(piece) == 1 else PATIENCE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=answer_for_ever, args=(listener, piece), daemon=True).start()
        with pytest.raises(client.NoAnswer, match=line.format(1)):
            client.Service(Tcp(*listener.getsockname())).stacks()


def answer_for_ever(listener: socket.socket, piece: bytes) -> None:
    """Answer one client, until it leaves."""
    accepted, _ = listener.accept()
    with accepted, suppress(OSError):
        accepted.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            accepted.sendall(piece)
            time.sleep(0.05 if len(piece) == 1 else 0)


def test_another_version(site: StatusSite, complaint: Complaint) -> None:
    """Of the same format, which lacks something that this one reads."""
    site.show({**SHOWN, "verdict": {}, "version": "0.0.9"})
    line = "the service, fastwsgi 0.0.9, tells other things than this command reads: KeyError: 'others'"
    assert complaint("top", "--once", site.address) == complaint("top", site.address) == line
    site.show({**SHOWN, "workers": [1]})
    assert "TypeError" in complaint("top", "--once", site.address)


MISTAKES = [
    (("top",), "no status_bind in FASTWSGI_STATUS_BIND, fastwsgi.toml or pyproject.toml here: give the address"),
    (("top", "--bind", ":80"), "unknown option --bind; see fastwsgi top --help. The module top is top:application"),
    (("stacks", "a:1", "b:2"), "one address only, and not b:2; see fastwsgi stacks --help."),
    (("top", "127.0.0.1:1", "--interval", "0"), "--interval '0' must be seconds, from 0.1 to 3600"),
    (("top", "127.0.0.1:1", "--interval", "nan"), "--interval 'nan' must be seconds, from 0.1 to 3600"),
    (("-w", "2", "top"), "the command top comes first: fastwsgi top ...; the module is top:application"),
]


@pytest.mark.parametrize(("arguments", "line"), MISTAKES)
def test_mistakes(arguments: tuple[str, ...], line: str, complaint: Complaint) -> None:
    assert complaint(*arguments, code=2).startswith(line)


def test_an_application_of_that_name(site: StatusSite, tmp_path: Path) -> None:
    """The command wins, and says what to write for the other."""
    (tmp_path / "top.py").write_text("from fastwsgi.demo import app\n\napplication = app\n")
    done = run(tmp_path, "top", site.address, "--once")
    assert (done.returncode, done.stdout[:8]) == (0, "serving\n")
    assert done.stderr == "fastwsgi: top is a command here; to serve top.py: fastwsgi top:application\n"
    assert "answers GET / with 200" in run(tmp_path, "top:application", "--check").stdout
    assert "answers GET / with 200" in run(tmp_path, "--check", FASTWSGI_APP="top").stdout


@pytest.mark.parametrize("name", ["top", "stacks"])
def test_help(name: str, tmp_path: Path) -> None:
    done = run(tmp_path, name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: fastwsgi {name} [OPTIONS] [ADDRESS]\n")
    assert f"fastwsgi {name}" in " ".join(run(tmp_path, "--help").stdout.split())


def test_it_imports_no_server() -> None:
    program = "import sys; from fastwsgi import cli; cli.main(['stacks', '127.0.0.1:1']); print([*sys.modules])"
    loaded = printed_by(program)
    assert [one for one in loaded if one.startswith(("fastwsgi.process", "fastwsgi.server.loop"))] == []


# On a terminal


def test_the_keys(site: StatusSite, tmp_path: Path) -> None:
    with on_terminal(["top", site.address, "--interval", "0.1"], tmp_path) as terminal:
        screen = terminal.shows("serving", "RUNNING", f"{site.address}   by #")
        assert "GET /slow/\\x1b[31mred" in screen
        terminal.press("r")
        terminal.lacks("RUNNING")
        terminal.press("rs")
        terminal.shows("RUNNING", "by PID")
        terminal.press("SS")
        terminal.shows("by OLDEST")
        terminal.press("?")
        terminal.shows("threads that run the application, of all", "any key goes back")
        terminal.press("x")
        terminal.shows("RUNNING")
        terminal.press("p")
        terminal.shows("paused 0 s ago")
        site.show({**SHOWN, "verdict": verdict("bad", "saturated")})
        terminal.shows("paused 1 s ago", "serving")
        terminal.press("p")
        terminal.shows("saturated")
        assert terminal.colour_of("saturated") == "red"
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.is_restored()


def test_other_sizes(site: StatusSite, tmp_path: Path) -> None:
    with on_terminal(["top", site.address], tmp_path, columns=200, lines=50) as terminal:
        terminal.shows("RUNNING")
        terminal.resize(60, 12)
        terminal.until(lambda screen: "RUNNING" in screen and "OLDEST" in screen and "GEN" not in screen)
        for columns, lines in ((20, 4), (1, 1), (2, 40), (300, 2)):
            terminal.resize(columns, lines)
            terminal.until(lambda screen: "RUNNING" not in screen and screen.strip())
        terminal.resize(120, 30)
        terminal.shows("RUNNING", "GEN")
        terminal.press("q")
        assert terminal.wait() == 0


def test_a_restart_of_the_service(tmp_path: Path) -> None:
    with status_site(SHOWN) as first:
        with on_terminal(["top", first.address, "--interval", "0.1"], tmp_path) as terminal:
            terminal.shows("RUNNING")
            first.close()
            terminal.shows(f"no answer from {first.address} since 1 s", "nobody listens", "RUNNING")
            with status_site({**SHOWN, "version": "0.2.0"}, first.port) as second:
                terminal.shows("0.2.0")
                terminal.lacks("no answer")
                second.show({**SHOWN, "verdict": None})
                terminal.shows("tells other things than this command reads")
                second.show(SHOWN)
                terminal.shows("RUNNING")
            terminal.press("q")
            assert terminal.wait() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_leave_the_terminal_as_it_was(site: StatusSite, tmp_path: Path, number: int, code: int) -> None:
    with on_terminal(["top", site.address], tmp_path) as terminal:
        terminal.shows("RUNNING")
        assert termios.tcgetattr(terminal.slave) != terminal.before
        if number == signal.SIGINT:
            terminal.press("\x03")
        else:
            terminal.process.send_signal(number)
        assert terminal.wait() == code
        assert terminal.is_restored()
        assert b"Traceback" not in terminal.output


def test_a_service_that_hangs_holds_up_no_key(tmp_path: Path) -> None:
    with status_site(SHOWN) as site, on_terminal(["top", site.address, "--interval", "0.1"], tmp_path) as terminal:
        terminal.shows("RUNNING")
        with site.held():
            terminal.press("s")
            terminal.shows("by PID")
            terminal.press("q")
            assert terminal.wait() == 0


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"TERM": "no-such-terminal"}], ids=lambda one: one["TERM"])
def test_terminals_without_a_cursor(site: StatusSite, tmp_path: Path, variables: dict[str, Any]) -> None:
    with on_terminal(["top", site.address, "--interval", "0.1"], tmp_path, **variables) as terminal:
        terminal.shows("RUNNING")
        terminal.press("\x03")
        assert terminal.wait() == 130
        assert b"\x1b" not in terminal.output


def test_without_colours(site: StatusSite, tmp_path: Path) -> None:
    site.show({**SHOWN, "verdict": verdict("bad", "saturated")})
    with on_terminal(["top", site.address], tmp_path, NO_COLOR="1") as terminal:
        terminal.shows("saturated")
        assert terminal.colour_of("saturated") == "default"
        terminal.press("q")
        assert terminal.wait() == 0


def test_nobody_listens_on_a_terminal(tmp_path: Path) -> None:
    """That is one line, and the screen stays."""
    with on_terminal(["top", "127.0.0.1:1"], tmp_path) as terminal:
        assert terminal.wait() == 1
        assert terminal.output.startswith(b"fastwsgi: nobody listens at 127.0.0.1:1")
        assert b"\x1b" not in terminal.output
