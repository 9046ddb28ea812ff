"""Logs and the PID file behind symbolic links: those of other users are not followed, all others are."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from fastwsgi.mistakes import Mistake
from fastwsgi.observe.files import LogFile
from fastwsgi.process.pidfile import PidFile
from tests.helpers.processes import ROOT, python_path
from tests.helpers.serving import PATIENCE

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
NOBODY = pwd.getpwnam("nobody").pw_uid


def write_log(path: Path) -> None:
    log = LogFile(str(path))
    os.write(log.fd, b"line\n")
    log.reopen()
    log.close()


def write_pid(path: Path) -> None:
    PidFile(str(path)).create()


BOTH = pytest.mark.parametrize("write", [write_log, write_pid])


def link(path: Path, target: Path, owner: int = -1) -> Path:
    path.symlink_to(target)
    os.chown(path, owner, -1, follow_symlinks=False)
    return path


@BOTH
def test_links_of_this_user_work(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "real").mkdir()
    folder = link(tmp_path / "run", Path("real"))
    write(folder / "file")
    assert (tmp_path / "real" / "file").exists()


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_log_is_created_at_the_end_of_links(tmp_path: Path, mode: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    write_log(link(link(shared / "log", tmp_path / "two").parent / "log2", Path("../shared/log")))
    assert (tmp_path / "two").read_bytes() == b"line\n"


@AS_ROOT
@BOTH
@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize(
    ("folder_owner", "mode", "link_owner"), [(NOBODY, 0o755, NOBODY), (NOBODY, 0o755, 0), (0, 0o1777, NOBODY)]
)
def test_links_of_others_are_not_followed(
    tmp_path: Path, write: Callable[[Path], None], exists: bool, folder_owner: int, mode: int, link_owner: int
) -> None:
    """At the end of the path, in its middle, and where the draft of the PID file will be."""
    target, theirs = tmp_path / "target", tmp_path / "theirs"
    target.mkdir()
    theirs.mkdir()
    os.chown(theirs, folder_owner, -1)
    theirs.chmod(mode)
    if exists:
        (target / "file").write_text("precious")
    link(theirs / "file", target / "file", link_owner)
    link(theirs / f"pid.{os.getpid()}", target / "file", link_owner)
    link(theirs / "folder", target, link_owner)
    for path in (theirs / "folder" / "file", theirs / "file"):
        with pytest.raises((OSError, Mistake), match="could have made: it is not followed"):
            write(path)
    write(theirs / "pid")
    assert (target / "file").exists() == exists
    assert not exists or (target / "file").read_text() == "precious"


@AS_ROOT
def test_others_than_root_follow_what_others_have_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(tmp_path, NOBODY, -1)
    (tmp_path / "releases").mkdir()
    current = link(tmp_path / "current", Path("releases"), NOBODY)
    with pytest.raises(OSError, match="is not followed"):
        write_log(current / "log")
    monkeypatch.setattr("fastwsgi.observe.links.os.geteuid", lambda: 1000)
    write_log(current / "log")
    assert (tmp_path / "releases" / "log").read_text() == "line\n"


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/dev/fd/1"])
def test_container_images_link_logs_to_the_standard_streams(tmp_path: Path, target: str) -> None:
    if os.geteuid() == 0 and target != "/dev/fd/1":
        os.chown(tmp_path, NOBODY, -1)  # there only these are followed
    link(tmp_path / "log", Path(target))
    done = subprocess.run(
        [sys.executable, "-c", f"import {__name__} as it; it.write_log(it.Path({str(tmp_path / 'log')!r}))"],
        env={**os.environ, "PYTHONPATH": python_path(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
    )
    assert done.stdout == b"line\n"


def test_links_in_a_circle_and_missing_folders(tmp_path: Path) -> None:
    link(tmp_path / "a", Path("b"))
    link(tmp_path / "b", Path("a"))
    with pytest.raises(OSError, match="Too many levels"):
        write_log(tmp_path / "a")
    with pytest.raises(FileNotFoundError) as caught:
        write_log(tmp_path / "none" / "log")
    assert caught.value.filename == str(tmp_path / "none" / "log")
    with pytest.raises(NotADirectoryError):
        write_log(Path(__file__) / "log")
    with pytest.raises(IsADirectoryError):
        write_log(tmp_path)
