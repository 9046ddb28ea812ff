"""The errors of this folder: a refused request, an application that breaks PEP 3333, a client that is gone."""

from __future__ import annotations


class HttpError(Exception):
    """A refused request: the client gets *status* and *advice*, if there is any; *reason* goes to the log alone."""

    def __init__(self, status: int, reason: str, advice: str = "") -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.advice = advice


class ApplicationError(Exception):
    """The application broke PEP 3333: the client gets a 500, and the log says what was wrong."""


class ClientDisconnected(ConnectionError):
    """The client is gone, and nothing more can be sent to it."""
