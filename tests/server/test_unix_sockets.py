"""Unix sockets: their mode and owner from the start, and a path that only whoever made it removes."""

from __future__ import annotations

import errno
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi.originals import os
from fastwsgi.server.bind import BindError, ListeningSocket, adopt, close_listener, open_listener, spell_address
from tests.helpers.serving import GET, Client, answering, serving

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")


def complaint(address: str, **options: Any) -> str:
    with pytest.raises(BindError) as caught:
        open_listener(address, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_unix_socket(build: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "sock"
    environs: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return [b"hello"]

    with serving(build, app, bind=[f"unix:{path}"]) as server, Client(str(path)) as client:
        assert spell_address(server.listener) == f"unix:{path}"
        for _ in range(2):
            assert client.send(GET).answer().body == b"hello"
    assert not path.exists()
    environ = environs[0]
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("", "")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (str(path), "")


def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = open_listener(f"unix:{path}")
    Client(str(path)).socket.close()
    close_listener(listener)
    assert not path.exists()


def test_a_unix_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    listener = open_listener(f"unix:{path}")
    assert "another server listens on" in complaint(f"unix:{path}")
    Client(str(path)).socket.close()
    close_listener(listener)


def test_a_file_is_no_stale_socket(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    assert "is no socket" in complaint(f"unix:{path}")
    assert path.read_text() == "precious"


def test_a_unix_socket_that_cannot_be_made(tmp_path: Path) -> None:
    assert "cannot make the socket" in complaint(f"unix:{tmp_path}/missing/sock")
    path = f"{tmp_path}/{'x' * 200}"
    assert f"has {len(path)} bytes; choose a shorter one" in complaint(f"unix:{path}")


def test_the_socket_of_another_is_not_removed(tmp_path: Path) -> None:
    """A new server may have taken the path over before the old one ends."""
    path = tmp_path / "sock"
    old = open_listener(f"unix:{path}")
    path.unlink()
    new = open_listener(f"unix:{path}")
    close_listener(old)
    Client(str(path)).socket.close()
    close_listener(new)
    assert not path.exists()


def test_a_stale_socket_with_a_full_backlog_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    listener = open_listener(f"unix:{path}", backlog=1)
    waiting = [Client(str(path)), Client(str(path))]
    assert "another server listens on" in complaint(f"unix:{path}")
    for client in waiting:
        client.socket.close()
    close_listener(listener)


@pytest.fixture(params=[0o022, 0o077], ids=["umask 022", "umask 077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("mode", [None, 0o600, 0o660, 0o666])
def test_the_mode_of_a_unix_socket(tmp_path: Path, umask: int, mode: int | None, monkeypatch: Any) -> None:
    """It is there from the start, not some time after the path."""
    seen = []
    monkeypatch.setattr(ListeningSocket, "own_path", lambda self: seen.append(stat.S_IMODE(path.stat().st_mode)))
    path = tmp_path / "sock"
    close_listener(open_listener(f"unix:{path}", socket_mode=mode))
    assert seen == [0o777 & ~umask if mode is None else mode]
    assert os.umask(umask) == umask


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    listener = open_listener(f"unix:{path}", owner=(65534, 65533))
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)
    close_listener(listener)


def test_a_socket_that_cannot_be_finished_leaves_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "chown", refuse)
    assert "Operation not permitted" in complaint(f"unix:{tmp_path / 'sock'}", owner=(1, 1))
    assert list(tmp_path.iterdir()) == []


def in_a_child(function: Callable[[], object]) -> None:
    """Call *function* in a forked process, which ends without cleaning up."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0) == (pid, 0)


def test_a_worker_does_not_remove_the_path(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    listener = open_listener(f"unix:{path}")
    in_a_child(lambda: close_listener(listener))
    Client(str(path)).socket.close()
    close_listener(listener)
    assert not path.exists()


def test_the_path_goes_with_whoever_took_it_over(tmp_path: Path) -> None:
    """As a new supervisor does, when the old one has gone and left the path."""
    path = tmp_path / "sock"
    old = open_listener(f"unix:{path}")
    fd = os.dup(old.fileno())
    in_a_child(lambda: close_listener(adopt(fd)))
    assert path.exists()

    def take_over() -> None:
        new = adopt(fd)
        new.own_path()
        old.close()
        close_listener(new)

    in_a_child(take_over)
    assert not path.exists()
    close_listener(old)
    os.close(fd)


def test_a_relative_path_is_removed_from_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listener = open_listener("unix:sock")
    monkeypatch.chdir("/")
    close_listener(listener)
    assert list(tmp_path.iterdir()) == []


@LINUX
def test_an_abstract_socket(build: SimpleNamespace) -> None:
    name = f"fastwsgi-test-{os.getpid()}"
    with serving(build, answering(b"hello"), bind=[f"unix:@{name}"]) as server, Client(f"\0{name}") as client:
        assert spell_address(server.listener) == f"unix:@{name}"
        assert client.send(GET).answer().body == b"hello"
        assert "another server listens on" in complaint(f"unix:@{name}")
