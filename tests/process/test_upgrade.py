"""SIGUSR2: a new binary on the same sockets; sockets and notices of systemd."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.deployments import SITE, Deployment, deployed, is_alive, wait_for_end
from tests.helpers.processes import ISOLATED, running
from tests.helpers.serving import GET, PATIENCE, Client, request
from tests.helpers.traffic import Load


@contextmanager
def upgraded(server: Deployment) -> Iterator[int]:
    """The process of the new supervisor, once it serves; it does not outlive the test."""
    server.signal(signal.SIGUSR2)
    pid = int(server.line(r"upgrade: process ([0-9]+) starts")[1])
    try:
        server.line("listening on")
        yield pid
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGQUIT)
            wait_for_end(pid)


def test_nothing_is_lost_and_the_old_one_may_end(tmp_path: Path) -> None:
    with deployed(tmp_path, workers=2, pid=str(tmp_path / "pid")) as server:
        with Load(server.address, kept=2, new=2) as load:
            load.more()
            server.write(SITE.replace("one", "two"))
            with upgraded(server) as successor:
                assert (tmp_path / "pid").read_text() == f"{successor}\n"
                assert (tmp_path / "pid.oldbin").read_text() == f"{server.pid}\n"
                load.wait_for(b"two")
                server.signal()
                assert server.process.wait(PATIENCE) == 0
                load.more()
                assert not (tmp_path / "pid.oldbin").exists()
                assert server.ask() == b"two"
                load.end()
                assert load.lost == []
                os.kill(successor, signal.SIGTERM)
                wait_for_end(successor)
                assert not (tmp_path / "pid").exists()


def test_the_end_of_the_old_one_is_a_reload_to_its_clients(tmp_path: Path) -> None:
    """Its idle connections may ask once more, and its busy worker does not shut the sockets of the new one."""
    with deployed(tmp_path, workers=1) as server, server.connect() as idle, server.connect() as busy:
        assert [client.send(GET).answer().body for client in (idle, busy)] == [b"one", b"one"]
        server.write(SITE.replace("one", "two"))
        with upgraded(server):
            busy.send(request(target="/wait?0.3"))
            server.line("entered")
            server.signal()
            while server.ask() != b"two":
                pass
            assert busy.answer().whole
            answer = idle.send(GET).answer()
            assert (answer.body, answer.get("Connection")) == (b"one", "close")
            assert server.process.wait(PATIENCE) == 0
            for _ in range(20):
                assert server.ask() == b"two"


def test_the_new_one_may_end_instead(tmp_path: Path) -> None:
    path = str(tmp_path / "sock")
    settings = {"bind": ["127.0.0.1:0", f"unix:{path}"], "pid": str(tmp_path / "pid"), "workers": 1}
    with deployed(tmp_path, "py", **settings) as server:
        with Load(path, kept=1, new=1) as load, upgraded(server) as successor:
            load.more()
            os.kill(successor, signal.SIGTERM)
            server.line("the upgrade is given up, this process goes on")
            load.more()
        assert load.lost == []
        assert (tmp_path / "pid").read_text() == f"{server.pid}\n"
        assert server.ask(address=path) == b"one"
        server.signal()
        assert server.wait() == 0
        assert not os.path.exists(path)


def test_a_unix_socket_passes_to_the_new_one(tmp_path: Path) -> None:
    path = str(tmp_path / "sock")
    with deployed(tmp_path, "py", bind=["127.0.0.1:0", f"unix:{path}"], workers=1) as server:
        with upgraded(server) as successor:
            server.signal()
            assert server.process.wait(PATIENCE) == 0
            assert server.ask(address=path) == b"one"
            os.kill(successor, signal.SIGTERM)
            wait_for_end(successor)
            assert not os.path.exists(path)


def test_a_new_one_that_cannot_start_changes_nothing(tmp_path: Path) -> None:
    with deployed(tmp_path, "py", workers=1, pid=str(tmp_path / "pid")) as server:
        server.write("def app(:\n")
        server.signal(signal.SIGUSR2)
        server.line("SyntaxError")
        server.line("the upgrade is given up, this process goes on: the new one ended with exit code 1")
        assert server.ask() == b"one"
        assert (tmp_path / "pid").read_text() == f"{server.pid}\n"


# systemd

PASSES_A_SOCKET = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_sockets_of_systemd_stand_for_the_addresses(tmp_path: Path) -> None:
    (tmp_path / "site.py").write_text(SITE)
    arguments = [str(ISOLATED / "deployed.py"), str(tmp_path), "bind=['127.0.0.1:1']"]
    with running(["-c", PASSES_A_SOCKET, *arguments], "py") as process, process.connect() as client:
        assert client.send(GET).answer().body == b"one"
        process.signal()
        assert process.wait() == 0


def test_an_inherited_socket_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "site.py").write_text(SITE)
    launcher = PASSES_A_SOCKET.replace("LISTEN_FDS", "OTHER")
    arguments = [str(ISOLATED / "deployed.py"), str(tmp_path), "bind=['fd://3']"]
    with running(["-c", launcher, *arguments], "py") as process, process.connect() as client:
        assert client.send(GET).answer().body == b"one"
        process.signal()
        assert process.wait() == 0


@pytest.fixture
def notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


def test_systemd_is_told(tmp_path: Path, notices: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(text: str) -> None:
        """Wait for a notice that begins with *text*."""
        while not notices.recv(1000).decode().startswith(text):
            pass

    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    with deployed(tmp_path, "py", workers=1) as server:
        told(f"READY=1\nMAINPID={server.pid}")
        told("WATCHDOG=1")
        told("WATCHDOG=1")
        server.signal(signal.SIGHUP)
        told("RELOADING=1\nMONOTONIC_USEC=")
        told("READY=1")
        server.signal()
        told("STOPPING=1")
        assert server.wait() == 0


def test_the_path_of_a_unix_socket_is_its_makers(tmp_path: Path) -> None:
    """Workers that end leave it."""
    path = str(tmp_path / "sock")
    with deployed(tmp_path, "py", bind=["127.0.0.1:0", f"unix:{path}"], workers=1) as server:
        (worker,) = server.workers(1)
        os.kill(worker, signal.SIGTERM)
        wait_for_end(worker)
        with Client(path) as client:
            assert client.send(GET).answer().body == b"one"
