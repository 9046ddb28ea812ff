"""The server's own threads: no end of a process waits for them, only for those that the application starts in them.

threading.Thread takes its daemon flag from the thread that creates it. Where that is one of the server's, work that an
application left to a thread would be lost at each stop.
"""

from __future__ import annotations

from typing import Callable

from fastwsgi.originals import threading


class Daemon(threading.Thread):
    """A thread that the interpreter takes for a daemon when it starts, and a thread started in it for none.

    The interpreter asks for the flag before run() begins: Thread._set_tstate_lock() up to Python 3.12, Thread.start()
    since 3.13.

    Args:
        target: the main function.
        name: shown by debuggers.
    """

    def __init__(self, target: Callable[[], None], name: str) -> None:
        self._begun = False
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
