"""A conversation as the client saw it: what is sent in which pieces, every byte that came back, and how it ended.

Read leniently, since the other side may be wrong: what cannot be read as a response is kept as *stray*.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b[^\r\n]*\r?\n")
HEAD_END = re.compile(rb"\r?\n\r?\n")
NEXT_ENDS = b"that was the next\n"
CLOSES_WITHIN = 0.05  # seconds in which a server closes that means to
AFTERWARDS = 0.2  # seconds for the end of the connection, when all answers are there


@dataclass
class Reply:
    """One response."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    whole: bool = False

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name]

    def get(self, name: str) -> str | None:
        """The first value of the field *name*, which is in lower case."""
        return next(iter(self.all(name)), None)


@dataclass
class Talk:
    """What came of a conversation. *end*: "closed", "reset", or "" where the connection stayed open."""

    data: bytes = b""
    end: str = ""
    times: list[tuple[float, int]] = field(default_factory=list)  # when so many bytes were there, in seconds


def converse(
    port: int, pieces: Sequence[bytes], patience: float, follow: bytes = b"", answers: int = 1, ends: bool = False,
    between: float = 0.0, stop: bytes = b"",
) -> Talk:
    """Send *pieces*, and read until the end or until nothing came for *patience* seconds.

    Args:
        pieces: each is sent when an answer, or the patience, came of the one before.
        follow: is sent when the *answers* are there or the patience is over, if the connection still stands then.
        ends: we close our side after the last piece.
        between: with a value, pieces are sent so many seconds apart and nothing is awaited.
        stop: we go away when these bytes have come.
    """
    talk = Talk()
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(pieces):
            if number and between:
                time.sleep(between)
            elif number and not read(client, talk, start, patience, enough=lambda data: b"\r\n\r\n" in data):
                break
            try:
                client.sendall(piece)
            except OSError:
                break  # what it said before is still to be read
        with contextlib.suppress(OSError):
            if ends:
                client.shutdown(socket.SHUT_WR)
        if follow:
            head = pieces[0].lstrip().startswith(b"HEAD ")
            read(client, talk, start, patience, lambda data: is_answered(data, answers, head))
            if read(client, talk, start, CLOSES_WITHIN if may_close(talk.data) else 0.001, lambda data: False):
                with contextlib.suppress(OSError):
                    client.sendall(follow)
        read(client, talk, start, patience, lambda data: bool(stop) and stop in data)
    return talk


def is_answered(data: bytes, answers: int, to_head: bool) -> bool:
    """Whether so many responses are there, and whole."""
    found, _ = replies(Talk(data), lambda reply: "HEAD" if to_head else "GET")
    return sum(reply.whole and reply.status >= 200 for reply in found) >= answers


def may_close(data: bytes) -> bool:
    """Whether the server said so, or has refused something."""
    found, _ = replies(Talk(data), lambda reply: "GET")
    return any(reply.status >= 400 or "close" in (reply.get("connection") or "").lower() for reply in found)


def read(
    client: socket.socket, talk: Talk, start: float, patience: float, enough: Callable[[bytes], bool]
) -> bool:
    """Read on until *enough*; returns whether the connection still stands."""
    while not talk.end and not enough(talk.data):
        client.settimeout(AFTERWARDS if NEXT_ENDS in talk.data else patience)
        try:
            data = client.recv(1 << 20)
        except socket.timeout:
            return True
        except OSError:
            talk.end = "reset"
            break
        if not data:
            talk.end = "closed"
            break
        talk.data += data
        talk.times.append((time.monotonic() - start, len(talk.data)))
    return not talk.end


def replies(talk: Talk, methods: Callable[[Reply], str]) -> tuple[list[Reply], bytes]:
    """The responses, and what stands where another should begin.

    Args:
        methods: tells of which method the request was that a reply belongs to.
    """
    found: list[Reply] = []
    data = talk.data
    while data:
        status, head_end = STATUS_LINE.match(data), HEAD_END.search(data)
        if status is None or head_end is None:
            return found, data
        lines = re.split(rb"\r?\n", data[status.end() : head_end.start()]) if head_end.start() > status.end() else []
        pairs = [line.partition(b":") for line in lines]
        reply = Reply(
            int(status[1]),
            [(name.decode("latin-1"), value.strip().decode("latin-1")) for name, _, value in pairs],
        )
        found.append(reply)
        data = body_of(reply, methods(reply), data[head_end.end() :], talk.end)
    return found, b""


def body_of(reply: Reply, method: str, data: bytes, end: str) -> bytes:
    """Fill in the body of *reply* (RFC 9112 6.3); returns what follows it."""
    length, coding = reply.get("content-length"), reply.get("transfer-encoding")
    if method == "HEAD" or reply.status < 200 or reply.status in (204, 304):
        reply.whole = True
        return data
    if coding is not None and coding.lower().endswith("chunked"):
        return chunks_of(reply, data)
    if length is not None and length.isdigit():
        reply.body = data[: int(length)]
        reply.whole = len(reply.body) == int(length)
        return data[int(length) :]
    reply.body = data
    reply.whole = end == "closed"
    return b""


def chunks_of(reply: Reply, data: bytes) -> bytes:
    while True:
        line, ending, rest = data.partition(b"\r\n")
        if not ending:
            return b""
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return data
        if size == 0:
            trailer, ending, after = rest.partition(b"\r\n")
            reply.whole = bool(ending) and not trailer
            return after
        reply.body += rest[:size]
        if len(rest) < size + 2:
            return b""
        data = rest[size + 2 :]
