"""Targets on several threads at once, each with loops of its own: what comes out is what comes out of one thread.

What a target keeps from input to input (parsers, tables, benches) belongs to the thread, as it does in the server.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterable
from typing import Any, Callable, TypeVar

Made = TypeVar("Made")
OFTEN = 1e-5  # seconds


def once_a_thread(make: Callable[[], Made]) -> Callable[[], Made]:
    """What gives each thread what *make* has made for it."""
    mine = threading.local()

    def own() -> Made:
        if not hasattr(mine, "made"):
            mine.made = make()
        made: Made = mine.made
        return made

    return own


def digest(outcome: Any) -> bytes:
    """A few bytes that stand for what a check has returned."""
    return hashlib.blake2b(repr(outcome).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def at_once(jobs: Iterable[Callable[[], Made]], often: float = OFTEN) -> list[Made]:
    """The results of all *jobs*, each in a thread of its own, which begin together. Raises what one of them raised.

    Args:
        jobs: what is called.
        often: seconds after which they change places where there is a GIL.
    """
    listed = list(jobs)
    results: dict[int, Made] = {}
    failures: list[BaseException] = []
    start = threading.Barrier(len(listed))

    def work(number: int, job: Callable[[], Made]) -> None:
        start.wait()
        try:
            results[number] = job()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=one) for one in enumerate(listed)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(often)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(listed))]
