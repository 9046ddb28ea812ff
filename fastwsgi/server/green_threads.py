"""Threads that gevent or eventlet have replaced by their own, which run only while the others wait.

The server runs an application in real threads and waits for the system in them, which would hold up all green threads
for ever. So that is refused. What else these packages replace serves the application, and does not concern the server.
"""

from __future__ import annotations

from fastwsgi.mistakes import Mistake
from fastwsgi.originals import who_replaced_threads

_CALLS = {"eventlet": "eventlet.monkey_patch"}  # gevent.monkey.patch_all() takes the same arguments


def refuse_green_threads() -> None:
    """Refuse to serve once something has replaced Python's threads. Raises Mistake."""
    package = who_replaced_threads()
    if package:
        call = _CALLS.get(package, f"{package}.monkey.patch_all")
        raise Mistake(
            f"{package} has replaced Python's threads, in which applications run here: call "
            f"{call}(thread=False, select=False), or serve with gunicorn -k {package}"
        )
