"""What is answered at the status address, by path: a WSGI application that reads, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Callable

from fastwsgi.records import NamedTuple
from fastwsgi.status import metrics, page
from fastwsgi.status.visitors import Visitors

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from fastwsgi.status.interfaces import Views

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
FIELDS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
METHODS = ("GET", "HEAD")


class Answer(NamedTuple):
    """What is answered to a request.

    Attributes:
        policy: what the document may load.
        fields: besides those of all answers.
    """

    status: str
    kind: str
    body: bytes
    policy: str = POLICY
    fields: tuple[tuple[str, str], ...] = ()


def text(status: str, line: str, *fields: tuple[str, str]) -> Answer:
    """A line of text."""
    return Answer(status, TEXT, f"{line}\n".encode("utf-8", "replace"), fields=fields)


class Site:
    """The application.

    Attributes:
        visitors: who is let in.

    Args:
        views: what it shows.
    """

    def __init__(self, views: Views, visitors: Visitors) -> None:
        self.visitors = visitors
        self._views = views
        self._paths: dict[str, Callable[[WSGIEnvironment], Answer]] = {
            "/": self._page,
            "/status.json": self._document,
            "/metrics": self._metrics,
            "/livez": lambda environ: _probe(views.why_not_alive()),
            "/readyz": lambda environ: _probe(views.why_not_ready()),
            "/stacks": self._stacks,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._answer(environ)
        own = [
            ("Content-Type", answer.kind),
            ("Content-Length", str(len(answer.body))),
            ("Content-Security-Policy", answer.policy),
        ]
        start_response(answer.status, [*own, *FIELDS, *answer.fields])
        return [answer.body]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        peer = environ["REMOTE_ADDR"]
        if not self.visitors.may_look(peer):
            return text("403 Forbidden", f"{peer or 'unix'} is not among --status-allow")
        if not self.visitors.may_name(peer, environ.get("HTTP_HOST", "")):
            return text("421 Misdirected Request", "ask for this machine by an address, or as localhost")
        called = self._paths.get(environ["PATH_INFO"])
        if called is None:
            return text("404 Not Found", f"there are {' '.join(self._paths)}")
        if environ["REQUEST_METHOD"] not in METHODS:
            return text("405 Method Not Allowed", "this is only for reading", ("Allow", ", ".join(METHODS)))
        return called(environ)

    def _page(self, environ: WSGIEnvironment) -> Answer:
        return Answer("200 OK", HTML, self._views.page(environ.get("QUERY_STRING", "")), page.POLICY)

    def _document(self, environ: WSGIEnvironment) -> Answer:
        return Answer("200 OK", JSON, json.dumps(self._views.document()).encode())

    def _metrics(self, environ: WSGIEnvironment) -> Answer:
        return Answer("200 OK", metrics.CONTENT_TYPE, self._views.metrics().encode())

    def _stacks(self, environ: WSGIEnvironment) -> Answer:
        shown = self._views.inquiry.stacks()
        if shown is None:
            return text("503 Service Unavailable", "others wait for the stacks just now", ("Retry-After", "1"))
        return text("200 OK", shown)


def _probe(obstacle: str) -> Answer:
    return text("503 Service Unavailable", obstacle) if obstacle else text("200 OK", "ok")
