"""The server's own answers: each refusal (400 to 505), 500 for the application, 504 for a deadline.

They are constant texts without an echo of the input, and each ends the connection, except for the 500: it replaces the
application's response, and is framed as that would have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.http.grammar import reason_phrase
from fastwsgi.records import NamedTuple

if TYPE_CHECKING:
    from fastwsgi.http._outbox_py import OutBuffer
    from fastwsgi.http.errors import HttpError

DATE = b"Date: "  # precedes the place for a date in a template
NO_DATE = "---, -- --- ---- --:--:-- GMT"  # as long as a date (RFC 9110 5.6.7)
RETRY_AFTER = 1  # seconds (RFC 9110 10.2.3) after a 503: a healthy server's queue is soon short again


class Answer(NamedTuple):
    """The arguments that start_response() would get, and the body."""

    code: int
    status: str
    fields: list[tuple[str, str]]
    body: bytes


def answer(code: int, advice: str = "") -> Answer:
    """The answer with the status *code*, and *advice* for the client if there is any."""
    line = f"{code} {reason_phrase(code)}"
    fields = [("Content-Type", "text/plain")]
    if code == 503:
        fields.append(("Retry-After", str(RETRY_AFTER)))
    return Answer(code, line, fields, (f"{line}: {advice}\n" if advice else f"{line}\n").encode("latin-1"))


FAILED = answer(500)
EXPIRED = answer(504)


def refusal(error: HttpError) -> Answer:
    """The answer to a request that is refused."""
    return answer(error.status, error.advice)


def put(out: OutBuffer, given: Answer, server: bytes, date: bytes, is_head: bool = False) -> None:
    """Write an answer that ends the connection into *out*.

    Args:
        server, date: whole field lines, or b"".
        is_head: the request is HEAD: its answer has no body.
    """
    out.begin(given.status, given.fields)
    out.finish(len(given.body), False, "close", server, date)
    if not is_head:
        out.add(given.body)


def expired_template() -> bytes:
    """A 504 for code that cannot run Python: without a body, so that it suits HEAD too, and without a date."""
    fields = "Content-Length: 0\r\nConnection: close\r\n"
    return f"HTTP/1.1 {EXPIRED.status}\r\n{fields}{DATE.decode()}{NO_DATE}\r\n\r\n".encode()
