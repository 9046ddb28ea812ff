"""What is sent for a file: WSGI applications that return at once, which the loop calls (http/routes.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastwsgi.http.answers import answer
from fastwsgi.observe.formats import http_date
from fastwsgi.static.codings import IDENTITY
from fastwsgi.static.conditions import CONDITIONAL, NOT_MODIFIED, OUTSIDE, PART, Validators, part_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastwsgi.http.interfaces import StartResponse
    from fastwsgi.static.codings import Choice
    from fastwsgi.static.files import File

    Fields = list[tuple[str, str]]

NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
METHODS = ("GET", "HEAD")
OF_CONTENT = ("Content-Length", "Content-Type", "Content-Encoding")  # what a 304 does not repeat (RFC 9110 15.4.5)


def plain(code: int, start_response: StartResponse, *fields: tuple[str, str]) -> Iterable[bytes]:
    """Answer with *code*, *fields* and a text that says no more."""
    found = answer(code)
    start_response(found.status, [*found.fields, *fields, NO_SNIFFING])
    return [found.body]


class Representation:
    """A file in one coding.

    Args:
        file: what is sent.
        fields: those that it has in all answers; ETag, Last-Modified and Content-Length are added.
    """

    def __init__(self, file: File, fields: Fields) -> None:
        self.file = file
        self.validators = Validators(file.etag, False, file.modified, file.date_is_strong)
        state = [("ETag", file.etag), ("Accept-Ranges", "bytes")]
        if file.modified is not None:
            state.append(("Last-Modified", http_date(file.modified)))
        self._fields = [*fields, *state]
        self._whole = [*self._fields, ("Content-Length", str(file.size))]
        self._content = file.part(0, file.size) if file.data is not None else None

    def send(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a GET or HEAD, with what its conditions leave of the file."""
        for name in CONDITIONAL:
            if name in environ:
                return self._send_part(environ, start_response)
        start_response("200 OK", self._whole)
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return self._content if self._content is not None else self.file.part(0, self.file.size)

    def _send_part(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        size = self.file.size
        status, start, end = part_of(environ, self.validators, size)
        if status == NOT_MODIFIED:
            start_response("304 Not Modified", [one for one in self._fields if one[0] not in OF_CONTENT])
            return []
        if status == OUTSIDE:
            return plain(OUTSIDE, start_response, ("Content-Range", f"bytes */{size}"))
        if status == PART:
            range_fields = [("Content-Range", f"bytes {start}-{end - 1}/{size}"), ("Content-Length", str(end - start))]
            start_response("206 Partial Content", [*self._fields, *range_fields])
        elif status == 200:
            start_response("200 OK", self._whole)
        else:
            return plain(status, start_response)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else self.file.part(start, end)


class Answer:
    """A route that answers GET and HEAD; others get 405 (RFC 9110 15.5.6)."""

    sends_files = True  # for the figures; see http/waits.py

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in METHODS:
            return plain(405, start_response, ("Allow", ", ".join(METHODS)))
        return self.send(environ, start_response)

    def send(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a GET or HEAD."""
        raise NotImplementedError


class Document(Answer):
    """A file, and its codings.

    Args:
        codings: the representations by their codings; "identity" is one of them.
        choice: chooses one.
    """

    def __init__(self, codings: dict[str, Representation], choice: Choice) -> None:
        self._codings = codings
        self._choose = choice.choose
        self._only = codings[IDENTITY] if len(codings) == 1 else None
        self._sizes = {coding: one.file.size for coding, one in codings.items()}
        self.weight = sum(len(one.file.data or b"") for one in codings.values())  # bytes of memory
        self.descriptors = sum(one.file.is_open for one in codings.values())

    def send(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        accepted = environ.get("HTTP_ACCEPT_ENCODING")
        if self._only is not None and (accepted is None or ";" not in accepted):  # only a quality of 0 can refuse it
            return self._only.send(environ, start_response)
        coding = self._choose(accepted, self._sizes)
        if coding is None:
            return plain(406, start_response, ("Vary", "Accept-Encoding"))
        return self._codings[coding].send(environ, start_response)


class Slash(Answer):
    """The answer for a folder whose path lacks the "/" behind it: relative links in its index need that."""

    def send(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        from urllib.parse import quote

        path = (environ["SCRIPT_NAME"] + environ["PATH_INFO"]).encode("latin-1")
        query = environ["QUERY_STRING"]
        location = quote(path) + "/" + (f"?{query}" if query else "")
        return plain(301, start_response, ("Location", location))


class Unavailable(Answer):
    """The answer where a file cannot be read for a reason that may pass."""

    def send(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return plain(503, start_response)
