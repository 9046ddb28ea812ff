"""Routes: paths that are answered ahead of the application, by the thread that has the loop.

A route is a WSGI application that returns at once. So it needs no thread of those that run *the* application, and is
answered also while all of them are busy, while the queue is full, and during a stop. It cannot lose the loop, and takes
no part in what is counted of the application's requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from fastwsgi.http.interfaces import Files


class Routes:
    """The routes of a service.

    Args:
        targets: what answers each path; a path is compared with PATH_INFO, as the application would get it.
        files: asked for all other paths, if there is such.
    """

    def __init__(self, targets: dict[str, Callable[..., Any]], files: Files | None = None) -> None:
        self.targets = targets
        self.files = files
        self.shortest = min(map(len, targets), default=1)
        self.longest = max(map(len, targets), default=0)

    def find(self, environ: dict[str, Any], now: float) -> Callable[..., Any] | None:
        """What answers the request with that *environ*; None: the application does.

        Args:
            now: seconds on the loop's clock.
        """
        path = environ["PATH_INFO"]
        if self.shortest <= len(path) <= self.longest:  # most paths need not be looked up
            found = self.targets.get(path)
            if found is not None:
                return found
        return None if self.files is None else self.files.find(path, now)
