"""The server's own threads: no end of a process waits for them, only for those that the application starts in them.

threading.Thread takes its daemon flag from the thread that creates it. Where that is one of the server's, work that an
application left to a thread would be lost at each stop.

Since 3.14 it may also take over the context of that thread, as it does without a GIL: what the request that this thread
has just answered left in context variables, among them the very object that decimal counts with.
"""

from __future__ import annotations

import sys
from contextvars import Context
from typing import Callable

from fastwsgi.originals import threading


class Daemon(threading.Thread):
    """A thread that the interpreter takes for a daemon when it starts, and a thread started in it for none.

    It begins with an empty context.

    The interpreter asks for the flag before run() begins: Thread._set_tstate_lock() up to Python 3.12, Thread.start()
    since 3.13.

    Args:
        target: the main function.
        name: shown by debuggers.
    """

    def __init__(self, target: Callable[[], None], name: str) -> None:
        self._begun = False
        if sys.version_info >= (3, 14):
            super().__init__(target=target, name=name, daemon=True, context=Context())
        else:
            super().__init__(target=target, name=name, daemon=True)

    @property
    def daemon(self) -> bool:
        return not self._begun

    @daemon.setter
    def daemon(self, daemonic: bool) -> None:
        raise RuntimeError("the server's own threads stay what they are")

    def run(self) -> None:
        self._begun = True
        super().run()
