"""What is told while an application is loaded: that it takes long, and that it has ended the process.

The supervisor tells it of its workers, and so also where the import holds the GIL. Where it loads the application
itself (--preload, --check), a thread tells it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, start_new_thread, threading, time

if TYPE_CHECKING:
    from fastwsgi.process.fleet import Fleet
    from fastwsgi.process.spawn import Child

SLOW = 3.0  # seconds, doubled with each line


class SlowBoots:
    """The workers that are loading the application.

    Attributes:
        next_check: when to look again (time.monotonic()); None while none is loading.

    Args:
        name: gives what is served.
    """

    def __init__(self, name: Callable[[], str]) -> None:
        self._name = name
        self.next_check: float | None = None

    def check(self, fleet: Fleet[Child], now: float) -> None:
        """Tell of those that have taken long."""
        booting = [child for child in fleet.members.values() if child.state == "booting"]
        for child in booting:
            if now >= child.tell_at:
                since = now - child.slot.started
                error_log.info("loading %s since %.0f s (worker %d)", self._name(), since, child.pid)
                child.tell_at = now + since
        self.next_check = min((child.tell_at for child in booting), default=None)


@contextmanager
def watched(name: str) -> Iterator[None]:
    """Tell, while the block loads the application *name* in this process, that it takes long, or os._exit() in it."""
    loads, tells = threading.Lock(), threading.Lock()
    loads.acquire()
    tells.acquire()

    def tell() -> None:
        began, wait = time.monotonic(), SLOW
        while not loads.acquire(timeout=wait):
            error_log.info("loading %s since %.0f s", name, time.monotonic() - began)
            wait *= 2
        tells.release()

    start_new_thread(tell, ())  # no threading.Thread: gevent may come and change the account of these
    theirs: Any = sys.modules["os"]  # the application's
    pid, leave = os.getpid(), theirs._exit
    is_loading = True

    def told(status: int) -> None:
        if is_loading and os.getpid() == pid:
            error_log.error("%s ends the process when imported: os._exit(%r)", name, status)
        leave(status)

    theirs._exit = told
    try:
        yield
    finally:
        is_loading = False
        theirs._exit = leave
        loads.release()
        if os.getpid() == pid:  # a child that the application has forked has only the thread that it forked in
            tells.acquire()
