"""Temporary files, and the account of them that the workers share."""

from __future__ import annotations

import os
import resource
from types import SimpleNamespace

import pytest

from fastwsgi.http.errors import SpoolError
from fastwsgi.server.spool import Disk, Spool


def test_the_limit_is_shared() -> None:
    disk = Disk(1000, print)
    disk.share = SimpleNamespace(spooled=0, others_spooled=lambda: 600)
    file = Spool(disk)
    file.append(b"x" * 400)
    assert disk.share.spooled == 400
    with pytest.raises(SpoolError, match="--max-spooled"):
        file.append(b"x")
    file.close()
    file.close()
    assert (disk.used, disk.share.spooled) == (0, 0)


def test_a_write_that_is_cut_short_is_an_error() -> None:
    """The system takes a part first: RLIMIT_FSIZE is as a disk that becomes full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    disk = Disk(0, print)
    file = Spool(disk)
    file.append(b"one")
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(SpoolError, match="too large"):
            file.append(b"x" * 10000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert disk.used == file.size == 3
    file.append(b"two")
    assert file.read(0, 10**6) == b"onetwo"
    file.close()


def test_the_last_descriptors_are_not_for_temporary_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/dev/fd")))  # what lies open between would be among the last ones
    filled = [os.open(os.devnull, os.O_RDONLY)]
    limit = (highest + 64) // 64 * 64
    problems: list[str] = []
    while filled[-1] < limit - 5:
        filled.append(os.dup(filled[0]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        with pytest.raises(SpoolError, match="descriptors are short"):
            Spool(Disk(0, lambda problem, error: problems.append(problem)))
        filled.append(os.dup(filled[0]))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in filled:
            os.close(fd)
    assert len(problems) == 1
