"""Routes: paths that are answered ahead of the application, by the thread that has the loop.

A route is a WSGI application that returns at once. So it needs no thread of those that run *the* application, and is
answered also while all of them are busy, while the queue is full, and during a stop. It cannot lose the loop, and takes
no part in what is counted of the application's requests.
"""

from __future__ import annotations

from typing import Any, Callable


class Routes:
    """The routes of a service.

    Args:
        targets: what answers each path; a path is compared with PATH_INFO, as the application would get it.
    """

    def __init__(self, targets: dict[str, Callable[..., Any]]) -> None:
        self.targets = targets
        self.shortest = min(map(len, targets))
        self.longest = max(map(len, targets))

    def find(self, environ: dict[str, Any]) -> Callable[..., Any] | None:
        """What answers the request with that *environ*; None: the application does."""
        path = environ["PATH_INFO"]
        if self.shortest <= len(path) <= self.longest:  # most paths need not be looked up
            return self.targets.get(path)
        return None
