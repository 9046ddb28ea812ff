"""The PID file: whole from the start, refused if a live process has it, and removed by its owner alone."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fastwsgi.mistakes import Mistake
from fastwsgi.process.pidfile import PidFile
from tests.helpers.serving import PATIENCE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.pid"


@pytest.fixture
def dead() -> int:
    """The ID of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait(PATIENCE)
    return process.pid


def complaint(path: Path) -> str:
    with pytest.raises(Mistake) as caught:
        PidFile(str(path)).create()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_pid_file(path: Path) -> None:
    file = PidFile(str(path))
    file.create()
    assert path.read_text() == f"{os.getpid()}\n"
    file.create()
    file.remove()
    assert list(path.parent.iterdir()) == []
    file.remove()


def test_a_live_process_keeps_it(path: Path) -> None:
    path.write_text("1\n")
    assert complaint(path) == f"--pid {path} is held by process 1: stop that one, or choose another file"
    assert path.read_text() == "1\n"
    PidFile(str(path)).remove()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("left", ["{dead}\n", "{dead}", "0", "", "9" * 30])
def test_what_a_dead_process_left_is_replaced(path: Path, dead: int, left: str) -> None:
    path.write_text(left.format(dead=dead))
    PidFile(str(path)).create()
    assert path.read_text() == f"{os.getpid()}\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_none_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    assert complaint(path).endswith("holds no process ID: choose another file")
    assert path.read_text() == "precious"


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def make_device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may make one")
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # of endless zeros


def make_link(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, make_socket, make_device, make_link])
def test_other_kinds_of_files_are_left_alone(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    before = path.lstat()
    assert complaint(path).endswith("holds no process ID: choose another file")
    assert not PidFile(str(path)).is_ours()
    assert path.lstat().st_ino == before.st_ino
    assert list(path.parent.iterdir()) == [path]


def test_it_cannot_be_made(path: Path) -> None:
    assert complaint(path.parent / "missing" / "pid").endswith("/missing/pid: No such file or directory")


def test_an_upgrade_moves_it_away_and_back(path: Path) -> None:
    old = PidFile(str(path))
    old.create()
    old.rename(f"{path}.oldbin")
    assert [one.name for one in path.parent.iterdir()] == ["shop.pid.oldbin"]
    code = "import sys; from fastwsgi.process.pidfile import PidFile; PidFile(sys.argv[1]).create()"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=PATIENCE)
    assert path.exists()
    old.rename(str(path))  # the new one has ended
    assert (path.read_text(), list(path.parent.iterdir())) == (f"{os.getpid()}\n", [path])
    old.remove()
    assert not path.exists()


def test_a_forked_process_does_not_remove_it(path: Path) -> None:
    file = PidFile(str(path))
    file.create()
    child = os.fork()
    if child == 0:
        file.remove()
        file.rename(f"{path}.stolen")
        os._exit(0)
    assert os.waitpid(child, 0) == (child, 0)
    assert [one.name for one in path.parent.iterdir()] == ["shop.pid"]
    file.remove()


def test_a_relative_path_stays_where_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    file = PidFile(path.name)
    file.create()
    monkeypatch.chdir("/")
    file.remove()
    assert not path.exists()
