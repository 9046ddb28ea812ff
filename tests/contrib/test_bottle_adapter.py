"""Bottle's adapter: its own commands and its reloader with our server."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.helpers.processes import Process, running
from tests.helpers.serving import request

pytest.importorskip("bottle")
SHOP = """
import bottle

@bottle.route("/")
def index():
    return "one"

if __name__ == "__main__":
    bottle.run(server="fastwsgi.contrib.bottle:FastWSGIServer", port=0, {options})
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def body(server: Process) -> bytes:
    """What it answers."""
    with server.connect() as client:
        return client.send(request()).answer().body


@pytest.mark.parametrize("options", ["threads=2", "workers=2"])
def test_run(shop: Path, options: str) -> None:
    (shop / "shop.py").write_text(SHOP.format(options=options))
    with running(["shop.py"], "py") as server:
        server.line(r"FastWSGIServer\((threads|workers)=2\)")
        server.line("Listening")
        assert body(server) == b"one"
        server.signal()
        assert server.wait() == 0


def test_its_reloader(shop: Path) -> None:
    (shop / "shop.py").write_text(SHOP.format(options="reloader=True, interval=0.2"))
    with running(["shop.py"], "py") as server:
        server.line("starting up")
        server.line("Listening")
        assert body(server) == b"one"
        server.elsewhere()
        (shop / "shop.py").write_text(SHOP.format(options="reloader=True, interval=0.2").replace("one", "another"))
        server.line("Listening")
        assert body(server) == b"another"
        server.signal(signal.SIGINT)
        server.wait()


def test_its_command(shop: Path) -> None:
    (shop / "shop.py").write_text(SHOP.format(options=""))
    words = ["-m", "bottle", "--server", "fastwsgi.contrib.bottle:FastWSGIServer", "--bind", "127.0.0.1:0", "shop"]
    with running(words, "py") as server:
        server.line("Listening")
        assert body(server) == b"one"


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        ("thread=2", 2, "unknown setting 'thread'; did you mean 'threads'?"),
        ("certfile='/none'", 2, "certfile /none: No such file or directory"),
        ("host='nothing.invalid'", 1, "cannot find the host 'nothing.invalid'"),
    ],
)
def test_a_mistake_is_one_line(shop: Path, options: str, code: int, line: str) -> None:
    (shop / "shop.py").write_text(SHOP.format(options=f"quiet=True, {options}"))
    with running(["shop.py"], "py") as server:
        assert server.wait() == code
        assert [one for one in server.seen if one][-1].startswith(f"fastwsgi: {line}")
        assert len([one for one in server.seen if one]) == 1
