"""A refused request in the place of an exchange: what the access log asks of one, as far as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.originals import time

if TYPE_CHECKING:
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError

    Environ = dict[str, Any]


class Refused:
    """The facts of one line.

    Attributes:
        note: what the format needs of the environ; None if the request line was not understood.
        line: the request line as it came; None: it is made of the note.
        version: 0 if it is not known.
        sent: bytes of the answer's body.
        spent: seconds since the head was complete; negative if it was refused for the head.

    Args:
        connection: it came by this.
        refusal: the reason, with the request.
        take_note: makes a note of an environ.
    """

    def __init__(
        self, connection: Connection, refusal: HttpError, take_note: Callable[[Environ], tuple[str | None, ...]]
    ) -> None:
        request = refusal.request
        self.code = refusal.status
        self.sent = refusal.sent
        self.host = connection.host
        self.environ: Environ = {}
        self.note: tuple[str | None, ...] | None = None
        self.line: str | None = None
        self.version = 0
        self.spent = -1.0
        if request is None:
            return
        self.line, self.version = request.line, request.version
        if request.environ is not None:
            self.environ = request.environ
            self.note = take_note(request.environ)
            self.host = request.environ.get("REMOTE_ADDR", self.host)
        if request.started is not None:
            self.spent = max(0.0, time.monotonic() - request.started)
