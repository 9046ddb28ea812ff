"""What this folder asks of objects that come from elsewhere, or that one build alone has; for type checkers.

The pure twins, `_inbox_py` and so on, are the types of what both builds have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.head import HeadParser
    from fastwsgi.http.service import Service


class Watched(Protocol):
    """What a loop has in its table: a connection, or what stands in for one until its first request."""

    fd: int
    waits: str


class ConnectionLoop(Protocol):
    """The loop, as the connections that it serves know it."""

    def watch(self, connection: Watched, event: str, before: str) -> None:
        """*connection* waits for *event*, "read" or "write", instead of *before*, which may be ""."""

    def unwatch(self, connection: Watched, before: str) -> None:
        """*connection* waits for nothing instead of *before*."""

    def go_on_later(self, connection: Connection) -> None:
        """*connection* owes a turn: give it another one, after the others."""

    def forget(self, connection: Watched) -> None:
        """*connection* is about to close its file descriptor."""

    def fail(self, connection: Connection, error: Exception) -> None:
        """A fault of ours costs *connection*, and nothing else."""

    def renew_time(self, service: Service) -> None:
        """Set *service*.now to the time of now, in seconds."""


class ThreadPool(Protocol):
    """The threads that run the application, as connections and exchanges know them."""

    def has_room(self) -> bool:
        """Whether another request may queue."""

    def queue(self, connection: Connection) -> None:
        """Have the request of *connection* wait for a thread."""

    def await_taker(self) -> None:
        """The loop was taken from this thread: return when that is complete."""

    def wait_for_client(self, connection: Connection) -> None:
        """Block this thread, on which a stream runs, until its client has read. Raises ClientDisconnected."""

    def step_aside(self, connection: Connection) -> None:
        """Leave the loop to another thread, in the middle of the application call of *connection*."""


class ErrorStream(Protocol):
    """wsgi.errors (PEP 3333, "Input and Error Streams")."""

    def write(self, text: str, /) -> object:
        """Write *text*."""

    def writelines(self, lines: Iterable[str], /) -> object:
        """Write each of *lines*."""

    def flush(self) -> object:
        """Let what was written be seen."""


class Wakeable(Protocol):
    """The monitor, as a turn knows it."""

    def wake(self) -> None:
        """A call has begun while the monitor was dozing."""


class Observer(Protocol):
    """What an observer must have. What it may have besides is looked up once, for each call has its price:

    request_started(connection, exchange, head) and response_started(exchange, head) take copies of the heads;
    response_ended(exchange) is told of the end; note(environ) gives what is to be kept in exchange.note before the
    application gets environ for its own; connection_refused(host, reason) is told of clients that were turned away.
    """

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """A request was answered with an error before it reached the application."""

    def tick(self) -> None:
        """A second has passed."""


class Scanner(Protocol):
    """The fast way for plain heads, which only the compiled build has."""

    def scan(self, inbox: Inbox, head: HeadParser) -> bool:
        """Take the next head of *inbox*: True with the facts in *head*, or False with nothing taken."""
