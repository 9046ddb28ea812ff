"""What systemd tells a service, and what it is told: with real sockets, and processes started as systemd does."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastwsgi.process.systemd import listen_fds, notify, watchdog_interval
from tests.helpers.processes import ROOT, python_path
from tests.helpers.serving import PATIENCE

VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
ACTIVATE = shutil.which("systemd-socket-activate")

# Serves one client, to whom it says what it was given
SERVICE = """
import os
from fastwsgi.process.systemd import listen_fds
from fastwsgi.server.bind import adopt, close_listener
fds = listen_fds()
assert listen_fds() == []
for fd in fds:
    inherited = os.get_inheritable(fd)
    listener = adopt(fd)
    listener.setblocking(True)
    with listener.accept()[0] as client:
        left = [name for name in os.environ if name.startswith("LISTEN_")]
        client.sendall(repr((fds, inherited, left)).encode())
    close_listener(listener)
"""


@pytest.fixture(autouse=True)
def _no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def hears(address: str) -> str:
    """What a service says to who connects to its unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(address)
        return client.makefile().read()


def test_a_service_finds_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        child = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", sys.executable, "-c", SERVICE],
            {**os.environ, "PYTHONPATH": python_path(ROOT), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"},
            file_actions=[(os.POSIX_SPAWN_DUP2, listener.fileno(), 3)],
        )
    assert hears(str(path)) == "([3], False, [])"
    assert os.waitpid(child, 0) == (child, 0)
    assert path.exists()  # systemd's


@pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate is not installed")
def test_a_service_that_systemd_activates(tmp_path: Path) -> None:
    assert ACTIVATE is not None
    path = tmp_path / "sock"
    with subprocess.Popen(
        [ACTIVATE, "-l", str(path), "-E", f"PYTHONPATH={python_path(ROOT)}", sys.executable, "-c", SERVICE],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "Listening on" in process.stderr.readline()
        assert hears(str(path)) == "([3], False, [])"
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": "own", "LISTEN_FDS": "many"},
        {"LISTEN_PID": "own", "LISTEN_FDS": "-1"},
        {"LISTEN_PID": "own"},
        {"LISTEN_FDS": "1"},
    ],
)
def test_nothing_was_passed(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("own", str(os.getpid())))
    assert listen_fds() == []
    assert not [name for name in os.environ if name.startswith("LISTEN_")]  # no child takes them for its own


# sd_notify


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listens as systemd does."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@fastwsgi-test-{os.getpid()}"
    if name.startswith("@") and sys.platform != "linux":
        pytest.skip("only Linux has abstract sockets")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(PATIENCE)
        listening.bind(name.replace("@", "\0", 1))
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listening


def test_systemd_is_told(manager: socket.socket) -> None:
    notify("READY=1\nSTATUS=2 workers")
    notify("WATCHDOG=1")
    assert manager.recv(4096) == b"READY=1\nSTATUS=2 workers"
    assert manager.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "vsock:2:1", "relative", "/" + "x" * 200])
def test_nobody_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


# The watchdog


@pytest.mark.parametrize(
    ("time", "pid", "interval"),
    [
        ("3000000", "own", 1.5),
        ("3000000", None, 1.5),
        ("3000000", "1", None),
        ("0", "own", None),
        ("soon", "own", None),
        (None, None, None),
    ],
)
def test_the_watchdog(
    time: str | None, pid: str | None, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if time is not None:
        monkeypatch.setenv("WATCHDOG_USEC", time)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", pid.replace("own", str(os.getpid())))
    assert watchdog_interval() == interval
