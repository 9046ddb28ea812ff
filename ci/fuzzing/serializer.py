"""The response serializer: both builds take and write the same, and what is written reads back as what was given.

An input is a sequence of calls as connection.py makes them; statuses, names and values are whatever comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastwsgi import backend
from fastwsgi.http.errors import ApplicationError
from fastwsgi.http.grammar import HOP_BY_HOP
from tests.helpers.responses import read_responses

from .choices import Choices

STATUSES = ["200 OK", "200", "404 Not Found", "500 \xe9\t~", "299 ", "99 x", "200 a\r\nX: y", "2\u0660\u0660 OK"]
NAMES = [
    *["X", "Content-Type", "Content-Length", "CONTENT-LENGTH", "Connection", "Date", "server", "Set-Cookie"],
    *["Transfer-Encoding", "Upgrade", "Keep-Alive", "TE", "a b", "a:", "", "Ser\u212aer", "x" * 40],
]
VALUES = [
    *["x", "", " a\t", "close", "Close ", "5", "05", "9" * 18, "9" * 19],
    *["a\r\nX: y", "a\nb", "a\0b", "\xe9", "\u0100"],
]
ODD = [None, b"X", 7, ["a", "b"], ("a",), ("a", "b", "c")]
SIZES = (0, 1, 5, 200, 16383, 16384, 40000)
SERVER, DATE = b"Server: s\r\n", b"Date: d\r\n"


def check(data: bytes) -> Any:
    """Make the calls that *data* says."""
    choices = Choices(data)
    outs = [backend.build(name).outbox.OutBuffer() for name in ("c", "py")]
    gone = 0
    for _ in range(30):
        if not choices.more():
            break
        call = choices.pick([respond, respond, respond, begin, add, send])
        call(choices, outs)
        for out in outs:
            assert len(out.peek()) == out.size, "the out-buffer miscounts"
        assert outs[0].peek() == outs[1].peek()
        gone += outs[0].size
        if gone > 1 << 20:
            break
    return bytes(outs[0].peek())


def text(choices: Choices, samples: list[str]) -> Any:
    """A sample, something odd, or a str of any characters."""
    kind = choices.byte()
    if kind < 160:
        return samples[kind % len(samples)]
    if kind < 170:
        return ODD[kind % len(ODD)]
    raw = choices.some(40)
    return raw.decode("latin-1") if kind < 240 else raw.decode("utf-8", "surrogateescape")


def headers(choices: Choices) -> Any:
    """A list of fields, most likely."""
    if choices.byte() > 250:
        return choices.pick([(), None, (("a", "b"),)])
    fields: list[Any] = []
    for _ in range(choices.byte() % 6):
        odd = choices.byte() > 250
        fields.append(choices.pick(ODD) if odd else (text(choices, NAMES), text(choices, VALUES)))
    return fields


def begin(choices: Choices, outs: list[Any]) -> tuple[Any, Any] | None:
    """Begin a head; the arguments if it was taken, and then it is dropped."""
    arguments = text(choices, STATUSES), headers(choices)
    taken = []
    for out in outs:
        try:
            out.begin(*arguments)
            taken.append((out.code, out.length, bool(out.close)))
        except ApplicationError as error:
            taken.append(str(error))
    assert taken[0] == taken[1]
    if isinstance(taken[0], str):
        return None
    for out in outs:
        out.drop_head()
    return arguments


def respond(choices: Choices, outs: list[Any]) -> None:
    """A whole response: what it says is what was asked to be said."""
    arguments = begin(choices, outs)
    if arguments is None:
        return
    chunked, connection = bool(choices.byte() % 2), choices.pick(["", "close", "keep-alive"])
    body = b"z" * choices.pick(SIZES)
    for out in outs:
        before = len(out.peek())
        out.begin(*arguments)
        out.finish(-1 if chunked else len(body), chunked, connection, SERVER, DATE)
        if chunked:
            out.add_chunk(body)
            out.add(b"0\r\n\r\n")
        else:
            out.add(body)
        verify(out.peek()[before:], *arguments, body)


def verify(sent: bytes, status: str, fields: list[tuple[str, str]], body: bytes) -> None:
    """*sent* is one response with this status, these fields and this body, and nothing else."""
    (response,) = read_responses(sent, [], True)
    assert (f"{response.status} {response.reason}").rstrip(" ") == status.rstrip(" ")
    assert response.body == body
    given = [field for field in fields if field[0].lower() not in ("content-length", "connection")]
    assert not {name.lower() for name, _ in given} & HOP_BY_HOP
    assert response.fields[: len(given)] == given
    ours = [name for name, _ in response.fields[len(given) :]]
    assert set(ours) <= {"Content-Length", "Transfer-Encoding", "Connection", "Server", "Date"}
    assert len(set(ours)) == len(ours)


def add(choices: Choices, outs: list[Any]) -> None:
    """Bytes of a body."""
    size, chunk = choices.pick(SIZES), choices.byte() % 2
    for out in outs:
        (out.add_chunk if chunk else out.add)(b"y" * size)


def send(choices: Choices, outs: list[Any]) -> None:
    """Some bytes leave."""
    share = choices.byte()
    for out in outs:
        out.sent(out.size * share // 255)


def seeds() -> Iterator[bytes]:
    for status in range(len(STATUSES)):
        yield bytes([0, status, 0, 1, 0, 0, 0, 0, 0, 1, 4])
    for name in range(len(NAMES)):
        for value in range(len(VALUES)):
            yield bytes([0, 0, 0, 2, 0, 1, 0, 0, name, value, value % 2, 1, value % 7, 5, 128])
    yield bytes([4, 6, 1, 5, 100, 4, 5, 0, 0, 0, 0, 0, 1, 0, 3, 5, 255])
