"""Lines for the user about what was asked for, such as a setting that has no effect.

They come up before there is an error log, and are kept until there is one, or it is clear that there will be none: then
they go to standard error, as mistakes do.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Callable


class Notices:
    """Called with each line. Lines wait until pass_on() says where they go, and those to come."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._write: Callable[[str], object] = self._kept.append

    def __call__(self, line: str) -> None:
        self._write(line)

    def pass_on(self, write: Callable[[str], object]) -> None:
        """Call *write* with the lines that were kept, and with those to come."""
        kept, self._kept, self._write = self._kept, [], write
        for line in kept:
            write(line)


def to_stderr(line: str) -> None:
    """Print *line* to standard error, unless it is closed."""
    if sys.stderr is not None:  # print() would take standard output
        with contextlib.suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)
