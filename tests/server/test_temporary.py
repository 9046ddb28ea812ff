"""Temporary files where the module tempfile is not loaded, and where it has to be."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from fastwsgi import temporary
from fastwsgi.server.spool import Disk

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has O_TMPFILE")


@pytest.fixture(autouse=True)
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not imported tempfile, nor made a file."""
    monkeypatch.delitem(sys.modules, "tempfile")
    monkeypatch.setattr(temporary, "_first_choice", temporary._first_choice.__wrapped__)


@linux
def test_a_file_without_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with temporary.open_file() as file:
        file.write(b"kept")
        file.seek(0)
        assert file.read() == b"kept"
    assert temporary.directory() == str(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "tempfile" not in sys.modules


def test_where_the_first_directory_is_none_the_module_looks_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    temporary.open_file().close()
    assert "tempfile" in sys.modules


def test_the_directory_of_a_module_that_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tempfile", tempfile)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    temporary.open_file().close()
    assert temporary.directory() == str(tmp_path)


@linux
def test_a_lack_of_descriptors_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(temporary.os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        temporary.open_file()
    assert temporary.directory() == ""
    assert "tempfile" not in sys.modules


@linux
def test_a_file_never_gets_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = os.open("/proc/self/fd", os.O_RDONLY)  # with it, link() follows what is a symbolic link there
    try:
        with temporary.open_file() as file, pytest.raises(FileNotFoundError):
            os.link(str(file.fileno()), tmp_path / "name", src_dir_fd=folder)
    finally:
        os.close(folder)


def test_the_directory_is_chosen_before_one_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    Disk(0, lambda message, error: None)
    assert "tempfile" in sys.modules
