"""How this side says no: the refusal of a request, the breach of an application, the loss of a client."""

from __future__ import annotations


class HttpError(Exception):
    """A refused request: *status* goes to the client, and *advice* if there is any; *reason* only to the log."""

    def __init__(self, status: int, reason: str, advice: str = "") -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.advice = advice


class ApplicationError(Exception):
    """The application broke PEP 3333; the client gets a 500, the log says what was wrong."""


class ClientDisconnected(ConnectionError):
    """The client is gone: what is written for it has nowhere to go."""


class LoopLost(BaseException):
    """Another thread has the loop: this one ends its turn here, and touches nothing of the loop any more.

    It is raised at the end of a connection's turn in which the application's call was left behind, and passes through
    everything that belongs to the loop, up to the thread's own work (server/threads.py). No fault, so no Exception.
    """
