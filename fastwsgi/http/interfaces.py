"""What this folder asks of objects from elsewhere, or that only one build has; for type checkers.

The pure twins, `_inbox_py` and so on, are the types of what both builds have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, Callable, Protocol

if TYPE_CHECKING:
    from fastwsgi._guard_py import Guard
    from fastwsgi.http._inbox_py import Inbox
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.file_wrapper import FileStretch
    from fastwsgi.http.head import HeadParser, Template
    from fastwsgi.http.service import Service


class Watched(Protocol):
    """An entry of the loop's table: a connection, or what precedes it until its PROXY header is read."""

    fd: int
    waits: str


class ConnectionLoop(Protocol):
    """The loop, as the connections that it serves know it."""

    holdings: Account
    disk: TemporaryFiles
    meter: Meter
    guard: Guard

    def watch(self, connection: Watched, event: str, before: str) -> None:
        """Wait for *event* of *connection*, "read" or "write", instead of *before*, which may be ""."""

    def unwatch(self, connection: Watched, before: str) -> None:
        """Wait for nothing of *connection*, instead of *before*."""

    def go_on_later(self, connection: Connection) -> None:
        """Give *connection* another turn after the other connections."""

    def forget(self, connection: Watched) -> None:
        """Drop *connection*, which is about to close its file descriptor, from the table."""

    def fail(self, connection: Connection, error: Exception) -> None:
        """End *connection*, and nothing else, after a fault of the server's own."""

    def renew_time(self, service: Service) -> None:
        """Set *service*.now to the current time, in seconds."""

    def pause(self) -> None:
        """Let other threads run for a moment."""

    def report_refusal(self, host: str, reason: str) -> None:
        """Notify the observer of a client that was turned away, or cut."""


class Holder(Protocol):
    """A connection, as the account knows it."""

    charged: int  # bytes; changed by the account alone


class Account(Protocol):
    """What clients make this worker hold in memory; see server/holdings.py."""

    spool_size: int  # bytes of a body that may now stay in memory
    is_short: bool  # responses that wait are to go to temporary files

    def has_room(self, count: int) -> bool:
        """Whether *count* bytes more are within the limit."""

    def settle(self, holder: Holder, held: int) -> None:
        """Charge *holder* with the *held* bytes, instead of what it was charged with. Called in any thread."""


class SpoolFile(Protocol):
    """A temporary file that only grows; *file* reads it, *size* is the bytes in it."""

    file: IO[bytes]
    size: int

    def append(self, data: bytes | memoryview) -> None:
        """Add *data*. Raises SpoolError, and then the file is as before."""

    def read(self, offset: int, count: int) -> bytes:
        """Up to *count* bytes from *offset*. Raises SpoolError."""

    def shorten(self, size: int) -> None:
        """Forget all behind the first *size* bytes."""

    def disown(self) -> None:
        """In a forked child, close the file; its account is the parent's."""

    def close(self) -> None:
        """Close the file, which frees its space."""


class TemporaryFiles(Protocol):
    """The account of temporary files; see server/spool.py."""

    def open(self) -> SpoolFile:
        """A new file. Raises SpoolError."""


class ThreadPool(Protocol):
    """The threads that run the application, as connections and exchanges know them."""

    def has_room(self) -> bool:
        """Whether another request may join the queue."""

    def queue(self, connection: Connection) -> None:
        """Have the request of *connection* wait for a thread."""

    def await_taker(self) -> None:
        """Wait until the thread that takes the loop from this one has taken it; the application has returned."""

    def await_watchdog(self) -> None:
        """Wait until the watchdog, which may be giving up this thread's call, has done so."""

    def wait_for_client(self, connection: Connection) -> None:
        """Block this thread, on which a stream runs, until its client has read. Raises ClientDisconnected."""

    def step_aside(self, connection: Connection) -> None:
        """Leave the loop to another thread, during the application call of *connection*."""


class StartResponse(Protocol):
    """start_response (PEP 3333), as far as routes use it."""

    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> object:
        """Begin the response."""


class Files(Protocol):
    """Files that are routes; see static/site.py."""

    def find(self, path: str, now: float) -> Callable[..., Any] | None:
        """What answers *path*, a PATH_INFO; None: the application does. *now* is on the loop's clock, in seconds."""


class Handed(Protocol):
    """What is sent in place of the application's response; *problem* is for the error log, "" if there is none."""

    @property
    def status(self) -> str: ...

    @property
    def fields(self) -> list[tuple[str, str]]: ...

    @property
    def body(self) -> list[bytes] | FileStretch: ...

    @property
    def problem(self) -> str: ...


class Sender(Protocol):
    """Files that the application names in its response; see static/handed.py."""

    def answer(self, status: str, headers: Any, environ: dict[str, Any]) -> Handed | None:
        """What is sent instead of a response with *status* and *headers*; None if that names no file."""


class ErrorStream(Protocol):
    """wsgi.errors (PEP 3333, "Input and Error Streams")."""

    def write(self, text: str, /) -> object:
        """Write *text*."""

    def writelines(self, lines: Iterable[str], /) -> object:
        """Write each of *lines*."""

    def flush(self) -> object:
        """Write out what is buffered."""


class Wakeable(Protocol):
    """The monitor, as a turn knows it."""

    def wake(self) -> None:
        """Look again: a call has begun while the monitor was dozing."""


class Observer(Protocol):
    """What an observer must have. Optional methods are looked up once, since a look-up at each call would cost time:

    request_started(connection, exchange, head) and response_started(exchange, head) get copies of the heads;
    response_ended(exchange) is called at the end; note(environ) gives what to keep in exchange.note before the
    application owns environ; connection_refused(host, reason) is called for clients that were turned away.
    """

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Note that a request was answered with an error before it reached the application."""

    def tick(self) -> None:
        """Do what is due each second."""


class Scanner(Protocol):
    """The fast way for plain heads, which only the compiled build has."""

    def scan(self, inbox: Inbox, head: HeadParser, template: Template | None) -> bool:
        """Take the next head of *inbox*: True with the facts in *head*, or False with nothing taken."""
