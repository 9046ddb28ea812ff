"""Requests, and the answer that is due to each, byte for byte but for the date.

Everything in a request comes from its number: so it need not be kept to be told.
"""

from __future__ import annotations

import random
from typing import NamedTuple
from zlib import crc32

from ci.answering.application import large, thirds

DATE = b"Date: Thu, 01 Jan 1970 00:00:00 GMT"  # stands for any
WAYS = {  # how often of 10,000
    "list": 7200, "pieces": 800, "known": 500, "write": 500, "empty": 500, "file": 300, "big": 40,
    "blocks": 20, "halts": 10, "computes": 20, "raises": 10,
}  # fmt: skip
FORMS = {"get": 6000, "browser": 2000, "head": 500, "post": 1000, "chunked": 480, "upload": 20}
SPREAD = 1 << 16  # choices that are made ahead
MIX = random.Random(15)
CHOSEN_WAYS = MIX.choices(list(WAYS), list(WAYS.values()), k=SPREAD)
CHOSEN_FORMS = MIX.choices(list(FORMS), list(FORMS.values()), k=SPREAD - 1)  # another length: all pairs come
LINE = b"%s /%s/%d?q=%x HTTP/1.1\r\nHost: h\r\n"
BROWSER = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,*/*\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: http://h/%d\r\n"
)
FAILED = b"500 Internal Server Error\n"


class Question(NamedTuple):
    """A request and its answer; *way* and *form* are those of its number, unless it is to close."""

    number: int
    way: str
    request: bytes
    answer: bytes
    status: int


def token(number: int) -> int:
    """What a field of the request holds: no two in a row are alike."""
    return number * 2654435761 & 0xFFFFFFFF


def question(number: int, way: str = "") -> Question:
    """The request of that *number*, and its answer."""
    way = way or CHOSEN_WAYS[number % SPREAD]
    form = CHOSEN_FORMS[number % (SPREAD - 1)]
    mark, name = token(number), way.encode()
    method, body, length = b"GET", b"", b"-"
    if form == "head":
        method = b"HEAD"
    elif form in ("post", "chunked", "upload"):
        method = b"POST"
        body = large(number) if form == "upload" else b"body %d %x " % (number, mark) * (number % 9 + 1)
        length = b"%d" % len(body)
    head = LINE % (method, name, number, mark) + b"X-Token: %x\r\nCookie: n=%d\r\n" % (mark, number)
    if form == "browser":
        head += BROWSER % number
    if form == "chunked":
        half = len(body) // 2
        coded = b"%x;a=%d\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (half, number, body[:half], len(body) - half, body[half:])
        request = head + b"Transfer-Encoding: chunked\r\n\r\n" + coded
    elif body:
        request = head + b"Content-Length: %s\r\n\r\n%s" % (length, body)
    else:
        request = head + b"\r\n"
    echo = b"%s /%s/%d q=%x %x n=%d %s %d %d" % (
        *(method, name, number, mark, mark, number, length),
        *(len(body), crc32(body)),
    )
    return Question(number, way, request, *due(number, way, echo, form == "head"))


def due(number: int, way: str, echo: bytes, is_head: bool) -> tuple[bytes, int]:
    """The answer, and its status."""
    if way == "raises":
        head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 26\r\n"
        return head + END + (b"" if is_head else FAILED), 500
    if way == "empty":
        return b"HTTP/1.1 204 No Content\r\nX-Number: %d\r\n%s" % (number, END), 204
    head = b"HTTP/1.1 200 OK\r\nX-Number: %d\r\n" % number
    if way in ("pieces", "write", "halts"):
        if is_head:
            return head + END, 200
        chunks = b"".join([b"%x\r\n%s\r\n" % (len(piece), piece) for piece in thirds(echo)])
        return b"%sTransfer-Encoding: chunked\r\n%s%s0\r\n\r\n" % (head, END, chunks), 200
    body = large(number) if way == "big" else echo
    end = CLOSING if way == "close" else END
    return b"%sContent-Length: %d\r\n%s%s" % (head, len(body), end, b"" if is_head else body), 200


END = b"Server: fastwsgi\r\n" + DATE + b"\r\n\r\n"
CLOSING = b"Connection: close\r\n" + END


class Batch:
    """Requests that are sent on one connection, one behind the other, and what must come back.

    Args:
        numbers: of the requests.
        closes: the last one asks the application to close the connection.
    """

    def __init__(self, numbers: range, closes: bool) -> None:
        self.questions = [question(number) for number in numbers[: -1 if closes else None]]
        if closes:
            self.questions.append(question(numbers[-1], "close"))
        self.request = b"".join([one.request for one in self.questions])
        self.answer = b"".join([one.answer for one in self.questions])

    def wrong(self, got: bytes) -> str:
        """What is wrong with *got*, from which dates are taken out, "" if nothing."""
        at = 0
        for one in self.questions:
            found = got[at : at + len(one.answer)]
            if found != one.answer:
                return f"asked {one.request[:600]!r}\n    due    {one.answer[:600]!r}\n    got    {found[:600]!r}"
            at += len(one.answer)
        if at == len(got):
            return ""
        return f"behind the answer to {self.questions[-1].request[:300]!r} comes {got[at : at + 300]!r}"
