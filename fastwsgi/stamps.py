"""Stamps that distinguish the states of a file, for code that watches files."""

from __future__ import annotations

import os
from typing import Optional

Stamp = Optional[tuple[int, int, int, int]]  # device, inode, size, time of change in ns; None if there is no such file


def stamp_of(path: str) -> Stamp:
    """The stamp of a file, which changes when the file is replaced or written to."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
