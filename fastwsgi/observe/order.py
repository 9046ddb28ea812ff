"""The order of lines on a terminal: those of the access log that wait are written before one of the error log is.

Only an access log that goes to a terminal registers here.
"""

from __future__ import annotations

from typing import Callable

_waiting: list[Callable[[], object]] = []


def precede(write: Callable[[], object]) -> None:
    """Have *write* called before each line of the error log."""
    _waiting.append(write)


def leave(write: Callable[[], object]) -> None:
    """No longer call *write*."""
    if write in _waiting:
        _waiting.remove(write)


def catch_up() -> None:
    """Write what waits."""
    for write in _waiting:
        write()
