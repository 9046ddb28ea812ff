"""The guard of a loop, for whoever looks in from outside and must not wait for ever.

A thread may hang while it has the guard: objects of the application may run code wherever they go, such as in a garbage
collection. Whoever waits for it then, waits as long. What a stop, a status or the end needs goes on without that loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi._guard_py import Guard

PATIENCE = 0.5  # seconds; a loop in which nothing hangs gives its guard up many times within one of them
PAUSE = 0.0002


class HeldUp(Exception):
    """A thread that has the guard does not give it up."""


@contextmanager
def reached(guard: Guard) -> Iterator[None]:
    """*guard*, inside a block, for a thread from outside, or one that has it already. Raises HeldUp."""
    if guard.is_ours():
        yield
        return
    until = time.monotonic() + PATIENCE
    while not guard.try_to_take():
        if time.monotonic() >= until:
            raise HeldUp
        time.sleep(PAUSE)
    try:
        yield
    finally:
        guard.let_go()
