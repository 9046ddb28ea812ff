"""Entries of the error log that the file behind it takes in parts, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest

from fastwsgi.observe import error_handlers
from fastwsgi.observe.error_handlers import ErrorFile
from fastwsgi.observe.whole_writes import write_whole


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that does not block, at either end."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        os.close(end)


def test_the_rest_follows_a_short_write(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    monkeypatch.setattr(
        "fastwsgi.observe.whole_writes.os.write", lambda fd, data: taken.append(bytes(data[:3])) or len(taken[-1])
    )
    assert write_whole(1, b"an entry\n") == 9
    assert taken == [b"an ", b"ent", b"ry\n"]


def test_an_error_after_a_part_leaves_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(fd: int, data: bytes) -> int:
        if len(data) < 9:
            raise OSError(errno.ENOSPC, "full")
        return 3

    monkeypatch.setattr("fastwsgi.observe.whole_writes.os.write", write)
    assert write_whole(1, b"an entry\n") == 3
    with pytest.raises(OSError, match="full"):
        write_whole(1, b"short\n")


def test_what_has_no_room_is_dropped_and_the_next_entry_has_a_line_of_its_own(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_handlers, "PATIENCE", 0.01)
    log = ErrorFile("-")
    os.dup2(pipe[1], log.file.fd)
    log.write_through("x" * 1000000 + "\n", 0)
    log.write_through("dropped\n", 0)
    assert set(os.read(pipe[0], 1000000)) == {ord("x")}
    log.write_through("next\n", 0)
    log.write_through("last\n", 0)
    assert os.read(pipe[0], 1000000) == b"\nnext\nlast\n"
    log.end()
