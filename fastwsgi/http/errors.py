"""The errors of this folder: a refused request, an application that breaks PEP 3333, a client that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastwsgi.http.refused import RefusedRequest

QUEUE_IS_FULL = "the queue is full"  # the reason of a refusal that is counted for itself
NO_ROOM = "--max-buffered"  # the reason why a client was refused or cut that had done nothing wrong


class HttpError(Exception):
    """A refused request: the client gets *status* and *advice*, if there is any; *reason* goes to the log alone.

    Attributes:
        request: what is known of the request; set before observers are notified.
        sent: bytes of the answer's body; set then, too.
    """

    def __init__(self, status: int, reason: str, advice: str = "") -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.advice = advice
        self.request: RefusedRequest | None = None
        self.sent = 0


class SpoolError(Exception):
    """There is no room in temporary files, or no such file."""


class ApplicationError(Exception):
    """The application broke PEP 3333: the client gets a 500, and the log says what was wrong."""


def bad_status(status: object) -> ApplicationError:
    """The error for a *status* that start_response() does not accept."""
    return ApplicationError(f"status is not 'NNN reason': {status!r}")


def bad_headers(headers: object) -> ApplicationError:
    """The error for *headers* that are not in a list."""
    return ApplicationError(f"headers must be a list of (name, value), not {type(headers).__name__}")


def bad_header(item: object) -> ApplicationError:
    """The error for an *item* of headers that is not a pair."""
    return ApplicationError(f"header is not a (name, value) tuple: {item!r}")


def bad_name(name: object) -> ApplicationError:
    """The error for the *name* of a header that breaks the grammar."""
    return ApplicationError(f"header name is not a token: {name!r}")


def bad_value(name: str, value: object) -> ApplicationError:
    """The error for a *value* of the header *name* that breaks the grammar."""
    return ApplicationError(f"value of header {name} is not latin-1 str without control characters: {value!r}")


def bad_length(value: str) -> ApplicationError:
    """The error for the *value* of a Content-Length that is not a number, or differs from one before."""
    return ApplicationError(f"malformed or contradicting Content-Length: {value!r}")


def hop_by_hop(name: str) -> ApplicationError:
    """The error for a header *name* that only the server may send."""
    return ApplicationError(f"header {name} is hop-by-hop: the server's to send")


def bad_exc_info(exc_info: object) -> ApplicationError:
    """The error for an *exc_info* that is not what sys.exc_info() gives."""
    return ApplicationError(f"exc_info is not what sys.exc_info() gives, but {type(exc_info).__name__}")


def error_of(exc_info: object) -> BaseException | None:
    """The exception in *exc_info*, with its traceback; None if it is sys.exc_info() where no exception was handled.

    Raises:
        ApplicationError: it is neither.
    """
    if type(exc_info) is not tuple or len(exc_info) != 3:
        raise bad_exc_info(exc_info)
    _, error, trace = exc_info
    if error is None:
        return None
    try:
        BaseException.with_traceback(error, trace)  # not the method of its class, which may do anything
    except TypeError:
        raise bad_exc_info(exc_info) from None
    found: BaseException = error
    return found


class ClientDisconnected(ConnectionError):
    """The client is gone, and nothing more can be sent to it."""


class StopNow(SystemExit):
    """Raised wherever the main thread is, by a second signal or at the end of graceful_timeout."""


class LoopLost(BaseException):
    """Another thread has the loop: this one ends its turn here and no longer touches anything of the loop.

    It is raised at the end of a connection's turn during which the loop was taken, and passes through everything that
    belongs to the loop, up to the thread's own work (server/threads.py). It is not an error, so not an Exception.
    """
