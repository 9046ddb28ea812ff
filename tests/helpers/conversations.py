"""What the stateful test sends, and the simple model of what must come of it.

A Request knows its bytes and the one response that is due. An Account is one client's: the requests in the order in
which they are sent, how far they are, and whether what happened since is what the model says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.helpers.memory import Client
from tests.helpers.responses import Response, read_responses

PIECE = b"piece" * 20
BIG = b"0123456789abcdef" * 5000  # more than is answered in one go


class Due(NamedTuple):
    """The response to a request: *whole* or cut, and whether it is the *last* of its connection."""

    status: int
    body: bytes
    whole: bool = True
    last: bool = False


REFUSED = Due(400, b"400 Bad Request\n", last=True)
FAILED = Due(500, b"500 Internal Server Error\n")
ANSWERS = {
    "list": Due(200, b"list"),
    "empty": Due(200, b""),
    "none": Due(204, b""),
    "big": Due(200, BIG),
    "stream": Due(200, PIECE * 5),
    "turns": Due(200, b"x" * 150),  # more pieces than one turn has
    "write": Due(200, b"one two"),
    "close": Due(200, b"bye", last=True),
    "raises": FAILED,
    "breach": FAILED,
    "midway": Due(200, PIECE, whole=False, last=True),
    "short": Due(200, b"four", whole=False, last=True),
    "long": Due(200, b"four"),
}
FORMS = {  # of a request: its bytes with %b for the path; the method; what it makes of the answer
    "get": b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n",
    "browser": b"GET %b HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nCookie: a=b; c=d\r\nUser-Agent: x\r\n\r\n",
    "blank": b"\r\n\r\nGET %b HTTP/1.1\r\nHost: h\r\n\r\n",
    "old": b"GET %b HTTP/1.0\r\n\r\n",
    "head": b"HEAD %b HTTP/1.1\r\nHost: h\r\n\r\n",
    "post": b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n" + b"y" * 30,
    "expect": b"POST %b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nyyyyy",
    "chunked": b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nyyyyy\r\n0\r\nX: y\r\n\r\n",
}
BROKEN = {
    "hosts": b"GET %b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "line": b"GET %b\r\n\r\n",
    "bare": b"GET %b HTTP/1.1\r\nHost: h\n\n",
    "both": b"POST %b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk": b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nyy\r\n0\r\n\r\n",
}


class Request:
    """One request of a client; its path names client, number and answer."""

    def __init__(self, client: int, number: int, form: str, answer: str) -> None:
        self.path = f"/{client}/{number}/{answer}"
        self.broken = form in BROKEN
        self.method = "HEAD" if form == "head" else "GET"  # for the reader of responses
        self.raw = (BROKEN if self.broken else FORMS)[form] % self.path.encode()
        self.sent = 0  # bytes
        self.due = REFUSED if self.broken else self.adapted(answer, form)

    def adapted(self, answer: str, form: str) -> Due:
        """HTTP/1.0 closes; HEAD has no body that could be cut short."""
        due = ANSWERS[answer]
        if form == "old":
            return due._replace(last=True)
        if form == "head":
            return due._replace(body=b"", whole=True, last=answer == "close")
        return due

    @property
    def is_whole(self) -> bool:
        return self.sent == len(self.raw)


class Answers:
    """The application: answers as the path says, and keeps count of calls and of iterables."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.made: list[Pieces] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        self.called.append(path)
        body = environ["wsgi.input"].read()
        assert body == b"y" * len(body)
        assert len(body) == int(environ.get("CONTENT_LENGTH", 0))
        kind = path.rpartition("/")[2]
        if kind == "raises":
            raise LookupError(path)
        announced = [("Content-Length", str(len("four") + (kind == "short")))] if kind in ("short", "long") else []
        closing = [("Connection", "close")] if kind == "close" else []
        wrong = [("X", "a\r\nb")] if kind == "breach" else []
        write = start_response("204 No Content" if kind == "none" else "200 OK", [*announced, *closing, *wrong])
        if kind in ("stream", "turns", "midway", "short", "long"):
            self.made.append(Pieces(kind))
            return self.made[-1]
        if kind == "write":
            write(b"one ")
            write(b"two")
            return []
        return {"list": [b"list"], "big": [BIG[:100], BIG[100:]], "close": [b"bye"]}.get(kind, [])


class Pieces:
    """An iterable that counts how often it was closed."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        if self.kind in ("short", "long"):
            yield b"four"
            yield b" and more" if self.kind == "long" else b""
        elif self.kind == "turns":
            yield from [b"x"] * 150
        else:
            yield from [PIECE] * (5 if self.kind == "stream" else 1)
            if self.kind == "midway":
                raise LookupError("midway")

    def close(self) -> None:
        self.closed += 1


class Account:
    """One client, and what the model knows of it."""

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.number = number
        self.requests: list[Request] = []
        self.ended = self.gone = self.late = False

    def add(self, form: str, answer: str) -> None:
        self.requests.append(Request(self.number, len(self.requests), form, answer))

    def send(self, count: int) -> None:
        """Send the next *count* bytes in one piece, over the bounds of requests."""
        data = b""
        for request in self.requests:
            part = request.raw[request.sent : request.sent + count - len(data)]
            request.sent += len(part)
            data += part
        if data and not self.client.closed:
            self.client.send(data)

    def is_reading(self) -> bool:
        return self.client.capacity is None

    def served(self) -> list[Request]:
        """The requests that are whole, up to the last of the connection."""
        found = []
        for request in self.requests:
            if not request.is_whole:
                break
            found.append(request)
            if request.due.last:
                break
        return found

    def is_over(self) -> bool:
        """Whether a request was the last of the connection."""
        served = self.served()
        return bool(served) and served[-1].due.last

    def begun(self) -> Request | None:
        """The request of which a part has come."""
        return next((one for one in self.requests if 0 < one.sent < len(one.raw)), None)

    def check_calls(self, called: list[str]) -> None:
        """The application saw whole requests only, each once, in order, and all of them where nothing holds it up."""
        mine = [path for path in called if path.startswith(f"/{self.number}/")]
        paths = [one.path for one in self.served() if not one.broken]
        assert mine == paths[: len(mine)]
        if self.is_reading() and not self.gone and not self.late:
            assert mine == paths

    def responses(self) -> list[Response]:
        methods = [one.method for one in self.served()]  # a refusal before that goes as to a GET
        ended = (self.client.closed or self.client.finished) and not self.client.reset
        found = read_responses(bytes(self.client.received), methods, ended)
        return [one for one in found if one.status >= 200]

    def check_responses(self) -> None:
        """Each request has its one response, in order; behind the last comes nothing."""
        if self.gone or not self.is_reading():
            return
        found = self.responses()
        served = self.served()
        for response, request in zip(found, served):
            due = request.due
            assert (response.status, response.body, response.whole) == (due.status, due.body, due.whole), request.path
        extra = found[len(served) :]
        assert len(found) >= len(served)
        if self.is_over():
            assert extra == []
            assert not self.client.is_open
        elif extra:
            self.check_refusal(extra)
        elif not self.ended and not self.late:
            assert self.client.is_open
            assert self.client.connection.state in ("idle", "head", "body")

    def check_refusal(self, extra: list[Response]) -> None:
        """A request that is not whole was refused: it could not be mended, or its client ended or was late."""
        (refusal,) = extra
        begun = self.begun()
        if begun is not None and begun.broken and not self.late:
            assert refusal.status == 400
        else:
            assert self.ended or self.late
            assert refusal.status == (408 if self.late else 400)
        assert refusal.field("Connection") == "close"
        assert not self.client.is_open
