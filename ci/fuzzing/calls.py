"""An application that calls in any order: start_response, write() and hints, within one another and out of time.

The calls come from its function, its iterable and close(), from another thread, from the representation of a header,
and on what an earlier request has left. Each response has one head in front of its body, or its connection ends; the
next request is answered as if nothing had been; both builds send the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Callable

from fastwsgi import backend
from fastwsgi.http.errors import ClientDisconnected, LoopLost
from tests.helpers.calls import POISONS, in_a_thread
from tests.helpers.memory import Bench
from tests.helpers.responses import read_responses

from .choices import Choices

REQUESTS = b"".join(b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % path for path in (b"first", b"second", b"next"))
ERRORS = (ValueError, ClientDisconnected, LoopLost, KeyboardInterrupt, GeneratorExit, StopIteration, RecursionError)
KINDS = ("start", "start", "replace", "nothing", "write", "write", "hint", "raise", "yield", "poison", "thread", "old")
DEEP = 2  # calls within one another
LENGTHS: tuple[list[tuple[str, str]], ...] = ([], [], [("Content-Length", "3")], [("Connection", "close")])


class Step:
    """One call, which *inner* ones may be part of."""

    def __init__(self, choices: Choices, depth: int = 0) -> None:
        self.kind = choices.pick(KINDS)
        self.swallowed = choices.byte() % 4 > 0
        self.number = choices.byte()
        self.inner: Step | None = None
        if self.kind in ("poison", "thread", "old"):
            self.inner = Step(choices, depth + 1) if depth < DEEP else None


class Plan:
    """What the application does in each part of its life, for each of two requests."""

    def __init__(self, choices: Choices) -> None:
        self.capacity = choices.pick([None, None, 10, 300])
        self.scripts = [[self.part(choices) for _ in range(3)] for _ in range(2)]
        self.ways = [choices.pick(["list", "pieces", "pieces", "none"]) for _ in range(2)]

    def part(self, choices: Choices) -> list[Step]:
        return [Step(choices) for _ in range(choices.byte() % 5)]


class Request:
    """What the application has of one request."""

    def __init__(self, run: Run, number: int, environ: dict[str, Any], start_response: Any) -> None:
        self.run, self.environ, self.start_response = run, environ, start_response
        self.called, self.iterated, self.closed = run.plan.scripts[number]
        self.way = run.plan.ways[number]
        self.end = 0  # calls of close()

    def answer(self) -> Any:
        self.carry_out(self.called)
        if self.way == "none":
            return None
        return [b"list"] if self.way == "list" else self

    def __iter__(self) -> Iterator[bytes]:
        for step in self.iterated:
            if step.kind == "yield":
                yield b"y" * (step.number % 5)
            else:
                self.carry_out([step])

    def close(self) -> None:
        self.end += 1
        self.carry_out(self.closed)

    def carry_out(self, steps: list[Step]) -> None:
        for step in steps:
            try:
                self.calls(step)()
            except BaseException:
                if not step.swallowed:
                    raise

    def calls(self, step: Step | None) -> Callable[[], Any]:
        """What makes the call."""
        if step is None:
            return lambda: None
        start_response, fields = self.start_response, LENGTHS[step.number % len(LENGTHS)]
        inner = step.inner
        calls: dict[str, Callable[[], Any]] = {
            "start": lambda: start_response("200 OK", [("X", "1"), *fields]),
            "replace": lambda: start_response("202 New", list(fields), wrong()),
            "nothing": lambda: start_response("201 Own", list(fields), (None, None, None)),
            "write": lambda: start_response.write(b"w" * (step.number % 5)),
            "hint": lambda: self.environ["wsgi.early_hints"]([("Link", "</a>")]),
            "raise": lambda: fail(ERRORS[step.number % len(ERRORS)]),
            "poison": lambda: self.poisoned(step.number, self.calls(inner)),
            "thread": lambda: in_a_thread(self.calls(inner))(),
            "old": lambda: self.run.requests[0].calls(inner)(),
        }
        return calls.get(step.kind, lambda: None)

    def poisoned(self, number: int, call: Callable[[], Any]) -> None:
        status, headers = list(POISONS.values())[number % len(POISONS)](call)
        if number % 3 == 0:
            self.environ["wsgi.early_hints"](headers)
        else:
            self.start_response(status, headers, wrong() if number % 3 == 1 else None)


def fail(error: type[BaseException]) -> None:
    raise error("planned")


def wrong() -> Any:
    try:
        raise ValueError("replaced")
    except ValueError:
        return sys.exc_info()


class Run:
    """The plan, carried out once in one build."""

    def __init__(self, plan: Plan, build_name: str) -> None:
        self.plan = plan
        self.requests: list[Request] = []
        self.asked: list[str] = []
        self.bench = Bench(backend.build(build_name), self.application)
        self.client = self.bench.connect(capacity=plan.capacity)

    def converse(self) -> None:
        client = self.client
        client.send(REQUESTS)
        while self.plan.capacity is not None and client.is_awaited:
            client.read(self.plan.capacity * 7)
        client.end()
        assert client.closed

    def application(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.asked.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/next":
            start_response("200 OK", [])
            return [b"next"]
        self.requests.append(Request(self, len(self.requests), environ, start_response))
        return self.requests[-1].answer()

    def verify(self) -> None:
        """Each request has one response, in order; only where the connection ends early can the last one lack."""
        client = self.client
        found = read_responses(bytes(client.received), [], client.closed and not client.reset)
        finals = [one for one in found if one.status >= 200]
        assert all(one.status in (200, 201, 202, 500) for one in finals)
        if self.asked[-1] == "/next":
            assert len(finals) == 3
            assert (finals[2].status, finals[2].body, finals[2].whole) == (200, b"next", True)
        else:
            assert len(self.asked) - 1 <= len(finals) <= len(self.asked)
        assert all(one.whole for one in finals[:-1])
        for request in self.requests:
            assert request.end <= (request.way == "pieces")


def check(data: bytes) -> Any:
    """Carry the plan out in both builds."""
    plan = Plan(Choices(data))
    runs = [Run(plan, name) for name in ("c", "py")]
    for run in runs:
        run.converse()
        run.verify()
    one, other = runs
    assert bytes(one.client.received) == bytes(other.client.received)
    assert (one.asked, one.client.reset) == (other.asked, other.client.reset)
    messages = [message for message, _ in one.bench.errors]
    assert messages == [message for message, _ in other.bench.errors]
    return bytes(one.client.received), one.asked, messages


def seeds() -> Iterator[bytes]:
    for number in range(200):
        yield bytes((number * (11 + place) + place * place * 7) % 256 for place in range(40 + number % 50))


