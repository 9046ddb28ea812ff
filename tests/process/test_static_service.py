"""--static and --x-sendfile of real services: beside busy threads, over a reload, and their mistakes."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi import cli
from fastwsgi.process.folders import file_sender, static_files
from fastwsgi.settings.settings import Settings
from tests.helpers.deployments import SITE, deployed
from tests.helpers.pki import Pki
from tests.helpers.serving import request, serving
from tests.helpers.static import app, write

LARGE = bytes(range(256)) * 8192  # 2 MiB


@pytest.mark.parametrize(("threads", "backend"), [(1, "c"), (4, "py")])
def test_a_busy_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, backend: str) -> None:
    """Files need no thread of the application's, and a reload brings other folders."""
    one, other = tmp_path / "one", tmp_path / "other"
    write(one, a__txt=b"of one", large__bin=LARGE)
    write(other, a__txt=b"of the other")
    log = tmp_path / "log"
    mounts: Any = ["/static=one"]  # of the directory of the start, wherever the application goes
    settings = {"threads": threads, "static": mounts, "access_logfile": str(log)}
    monkeypatch.chdir(tmp_path)
    with deployed(tmp_path, backend, SITE + "os.chdir('/')\n", **settings) as server, ExitStack() as stack:
        held = []
        for _ in range(threads):
            held.append(stack.enter_context(server.connect()).send(request(target="/held")))
            server.line("entered")
        client = stack.enter_context(server.connect())
        for _ in range(3):
            assert client.send(request(target="/static/a.txt")).answer().body == b"of one"
            assert client.send(request(target="/static/large.bin")).answer().body == LARGE
        server.let_go()
        assert [one.answer().body for one in held] == [b"one"] * threads
        server.write(repr({"static": [f"/static={other}"]}), "settings.py")
        server.signal(signal.SIGHUP)
        server.line("reload complete")
        server.write(SITE)
        with server.connect() as again:
            assert again.send(request(target="/static/a.txt")).answer().body == b"of the other"
        server.write(repr({"static": [f"/static={tmp_path}/none"]}), "settings.py")
        server.signal(signal.SIGHUP)
        server.line("the reload is given up: --static /static=.*/none: No such file or directory")
        assert server.ask("/static/a.txt") == b"of the other"
        server.signal()
        assert server.wait() == 0
    assert log.read_text().count('"GET /static/a.txt HTTP/1.1" 200 6 ') == 3


def test_many_clients_that_read_slowly(build: SimpleNamespace, tmp_path: Path, pki: Pki) -> None:
    """Each gets all of its file, plainly and by TLS, and nothing stays open."""
    write(tmp_path / "files", large__bin=LARGE, b__txt=b"b")
    settings = Settings(static=[f"/s={tmp_path / 'files'}"], x_sendfile=[f"/p={tmp_path / 'files'}"])
    before = len(os.listdir("/proc/self/fd"))
    for more in ({}, {"certfile": [pki.pair[0]], "keyfile": [pki.pair[1]]}):
        with serving(build, app, **more) as server:  # type: ignore[arg-type]
            files = static_files(build, settings, server._note)
            server.loop.service.routes = build.routes.Routes({}, files)
            server.loop.service.sender = file_sender(build, settings)
            with ExitStack() as stack:
                connected = [pki.connect(server.address) if more else server.connect() for _ in range(21)]
                *clients, gone = map(stack.enter_context, connected)
                for client in clients:
                    client.send(request(target="/s/large.bin") + request(target="/s/b.txt"))
                for client in clients:
                    assert client.answer().body == LARGE
                    assert client.answer().body == b"b"
                gone.send(request(target="/s/large.bin"))
            assert server.errors == []
            assert files is not None
            server.call(files.forget)
    assert len(os.listdir("/proc/self/fd")) <= before + 1


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--static", "/s=none"], "--static /s=none: none: No such file or directory"),
        (["--static", "/s=file"], "--static /s=file: file: Not a directory"),
        (["--x-sendfile", "/s=none"], "--x-sendfile /s=none: none: No such file or directory"),
        (["--static", "s=."], "--static 's=.' must be ROUTE=DIR, such as /static=/srv/static"),
        (["--static", "/s=.", "--static", "/s/=/"], "--static /s is given twice: leave one out"),
        (["--static-immutable", "("], "--static-immutable '(' must be a regular expression: missing ), unterminated"),
        (["--static-immutable", "(a+)+"], "--static-immutable '(a+)+' must be an expression that repeats no group"),
        (["--static-index", "../a"], "--static-index '../a' must be the name of a file, such as index.html"),
    ],
)
def test_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for more in (["--check-config"], []):
        assert cli.main(["fastwsgi.demo", "--bind", "127.0.0.1:0", *flags, *more]) == 2
        assert f"fastwsgi: {line}" in capsys.readouterr().err
