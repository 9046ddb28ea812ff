"""An application that does anything: its response is right on the wire, or is seen to be cut, never mistaken for whole.

The request is sound; status, headers, pieces, raises, lengths and the client's pace are whatever comes. Both builds
send the same, close() is called once, and the next request on the connection is answered as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastwsgi import backend
from tests.helpers.memory import Bench, Client
from tests.helpers.responses import Response, read_responses

from .choices import Choices
from .serializer import STATUSES, headers, text

REQUEST = b"%b /first HTTP/1.%b\r\nHost: h\r\n%b\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
WAYS = ("list", "tuple", "iterable", "write", "mixed")
KEPT = b"Connection: keep-alive\r\n"


class Plan:
    """What the application does, decided before it runs, so that both builds see the same."""

    def __init__(self, choices: Choices) -> None:
        self.method = choices.pick([b"GET", b"GET", b"HEAD", b"OPTIONS"])
        self.version = choices.pick([b"1", b"1", b"0"])
        self.kept = choices.byte() % 2
        self.capacity = choices.pick([None, None, 10, 1000])
        self.way = choices.pick(WAYS)
        self.hints = headers(choices) if choices.byte() > 200 else None
        self.starts = choices.pick([1, 1, 1, 1, 0, 2, 3])  # calls of start_response; the last of three with exc_info
        self.late = choices.byte() > 200  # start_response comes with the first piece
        self.status = text(choices, STATUSES) if choices.byte() > 100 else "200 OK"
        self.headers = headers(choices)
        self.pieces = [self.piece(choices) for _ in range(choices.byte() % 8)]
        if choices.byte() > 128 and type(self.headers) is list:
            wrong = choices.pick([0, 0, 0, 1, -1])
            self.headers.append(("Content-Length", str(sum(map(len, self.given())) + wrong)))
        self.fails_at = choices.byte() % 9 if choices.byte() > 200 else -1
        self.error = choices.pick([ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
        self.close_fails = choices.byte() > 230

    def piece(self, choices: Choices) -> Any:
        kind = choices.byte()
        if kind > 250:
            return choices.pick(["text", bytearray(b"x"), None, 7])
        return b"p" * choices.pick([0, 1, 1, 5, 100, 17000]) if kind > 60 else choices.some(30)

    def given(self) -> list[bytes]:
        """The pieces that are bytes."""
        return [piece for piece in self.pieces if type(piece) is bytes]


class Answer:
    """The iterable, which counts its ends."""

    def __init__(self, run: Run, pieces: Iterator[Any]) -> None:
        self.run = run
        self.pieces = pieces

    def __iter__(self) -> Iterator[Any]:
        return self.pieces

    def close(self) -> None:
        self.run.closed += 1
        if self.run.plan.close_fails:
            raise self.run.plan.error("close")


class Run:
    """The plan, carried out once in one build."""

    def __init__(self, plan: Plan, build_name: str) -> None:
        self.plan = plan
        self.asked: list[str] = []
        self.made = self.closed = 0  # iterables
        self.whole = False  # the application came to its end
        self.accepted: tuple[Any, Any] | None = None  # the status and headers that start_response took last
        self.bench = Bench(backend.build(build_name), self.application)
        self.client = self.bench.connect(capacity=plan.capacity)

    def converse(self) -> None:
        plan = self.plan
        kept = KEPT if plan.kept else b""
        self.client.send(REQUEST % (plan.method, plan.version, kept) + NEXT)
        while plan.capacity is not None and self.client.is_awaited:
            self.client.read(plan.capacity * 7)
        self.client.end()
        assert self.client.closed

    def application(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.asked.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/next":
            start_response("200 OK", [])
            return [b"next"]
        plan = self.plan
        if plan.hints is not None:
            environ["wsgi.early_hints"](plan.hints)
        write = None if plan.late else self.start(start_response)
        if plan.way in ("write", "mixed"):
            for piece in self.produce(start_response, len(plan.pieces) if plan.way == "write" else 1):
                (write or start_response.write)(piece)
            if plan.way == "write":
                self.whole = True
                return []
            plan_rest = iter(plan.pieces[1:])
            self.made += 1
            return Answer(self, self.to_the_end(plan_rest))
        if plan.way in ("list", "tuple"):
            found = list(self.produce(start_response, len(plan.pieces)))
            self.whole = True
            return found if plan.way == "list" else tuple(found)
        self.made += 1
        return Answer(self, self.to_the_end(self.produce(start_response, len(plan.pieces))))

    def to_the_end(self, pieces: Iterator[Any]) -> Iterator[Any]:
        yield from pieces
        self.whole = True

    def produce(self, start_response: Any, count: int) -> Iterator[Any]:
        plan = self.plan
        if plan.late:
            self.start(start_response)
        for number, piece in enumerate(plan.pieces[:count]):
            if number == plan.fails_at:
                raise plan.error("midway")
            yield piece
        if plan.fails_at >= count:
            raise plan.error("at the end")

    def start(self, start_response: Any) -> Any:
        plan = self.plan
        write = None
        for number in range(plan.starts):
            information = None
            if number == 2:
                error = ValueError()
                information = (ValueError, error, error.__traceback__)
            self.accepted = None
            write = start_response(plan.status, plan.headers, information)
            self.accepted = (plan.status, plan.headers)
        return write


def check(data: bytes) -> Any:
    """Carry the plan out in both builds."""
    plan = Plan(Choices(data))
    runs = [Run(plan, name) for name in ("c", "py")]
    for run in runs:
        run.converse()
        verify(run, run.client)
    one, other = runs
    assert bytes(one.client.received) == bytes(other.client.received)
    assert (one.asked, one.client.reset) == (other.asked, other.client.reset)
    messages = [message for message, _ in one.bench.errors]
    assert messages == [message for message, _ in other.bench.errors]
    return bytes(one.client.received), one.asked, messages


def verify(run: Run, client: Client) -> None:
    """What came is one response for each request that the application saw, and none says more than is true."""
    assert run.closed == run.made, "close() was not called once"
    methods = [run.plan.method.decode(), "GET"]
    responses = read_responses(bytes(client.received), methods, client.closed and not client.reset)
    finals = [one for one in responses if one.status >= 200]
    assert finals or client.reset or run.plan.starts, "no answer at all"
    if finals:
        verify_first(run, finals[0], methods[0] == "HEAD")
    if len(run.asked) == 2:
        assert [(one.status, one.body, one.whole) for one in finals[1:]] == [(200, b"next", True)]
    else:
        assert len(finals) <= 1


def verify_first(run: Run, response: Response, is_head: bool) -> None:
    """The response of the plan, or a 500 that has nothing of it."""
    # An application may send a 500, too, and less of it than it says
    own = b"" if is_head else b"500 Internal Server Error\n"
    if response.status == 500 and response.body == own and run.bench.errors:
        assert response.whole
        return
    assert run.accepted is not None
    status, fields = run.accepted
    assert f"{response.status} {response.reason}".rstrip(" ") == status.rstrip(" ")
    given = [field for field in fields if field[0].lower() not in ("content-length", "connection")]
    assert response.fields[: len(given)] == given
    body = b"".join(run.plan.given())
    assert body.startswith(response.body)
    if response.status == 205:
        assert (response.whole, response.body, response.field("Content-Length")) == (True, b"", "0")
    elif response.whole and not is_head and response.status not in (204, 304):
        announced = response.field("Content-Length")
        assert announced is not None or run.whole, "a response that was broken off looks whole"
        assert announced is not None or response.body == body
        assert announced is None or len(response.body) == int(announced)
        if len(response.body) < len(body):
            assert announced is not None


def seeds() -> Iterator[bytes]:
    for number in range(200):
        yield bytes((number * (7 + place) + place * 31) % 256 for place in range(20 + number % 30))
