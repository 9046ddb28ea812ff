"""Threads that gevent or eventlet have replaced by their own, which run only while the others wait.

The server runs an application in real threads and waits for the system in them, which would hold up all green threads
for ever. So that is refused. What else these packages replace serves the application, and does not concern the server.
"""

from __future__ import annotations

from typing import Callable

from fastwsgi.mistakes import Mistake
from fastwsgi.originals import who_replaced_threads

_CALLS = {"eventlet": "eventlet.monkey_patch"}  # gevent.monkey.patch_all() takes the same arguments


def refuse_green_threads() -> None:
    """Refuse to serve once something has replaced Python's threads. Raises Mistake."""
    package = who_replaced_threads()
    if package:
        raise Mistake(_line(package))


def _line(package: str) -> str:
    call = _CALLS.get(package, f"{package}.monkey.patch_all")
    return (
        f"{package} has replaced Python's threads, in which applications run here: call "
        f"{call}(thread=False, select=False), or serve with gunicorn -k {package}"
    )


class GreenThreadReport:
    """Logs, once, that a request has replaced threads, after which nothing here is sure to work.

    Args:
        log_error: called with a message and None.
    """

    def __init__(self, log_error: Callable[[str, BaseException | None], None]) -> None:
        self._log_error = log_error
        self._reported = False

    def tick(self) -> None:
        """Look whether it has happened."""
        package = "" if self._reported else who_replaced_threads()
        if package:
            self._reported = True
            self._log_error(f"a request went wrong: {_line(package)}", None)
