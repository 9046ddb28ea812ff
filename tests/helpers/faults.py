"""What applications do wrong: the table of http/test_application_faults.py.

A row is a function that gets start_response and does it, and what a client may see of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from fastwsgi.http.errors import HttpError

FAILED = "500"  # a whole 500
CUT = "cut"  # a response that is seen not to be whole
WHOLE = "whole"  # a whole response; the fault is only logged, or mended
ENDS = "whole, then closed"


class Fault(NamedTuple):
    """One row: called with start_response, *app* does it; *body* is what may go out of it."""

    app: Callable[..., Any]
    outcome: str
    body: bytes = b""
    logged: bool = True


FAULTS: dict[str, Fault] = {}


def fault(outcome: str, body: bytes = b"", logged: bool = True) -> Any:
    """Enter a function into the table."""

    def enter(app: Callable[..., Any]) -> Callable[..., Any]:
        FAULTS[app.__name__] = Fault(app, outcome, body, logged)
        return app

    return enter


def begin(start_response: Any, *headers: tuple[str, str], status: str = "200 OK") -> Any:
    return start_response(status, [("X-App", "1"), *headers])


class Closing:
    """An iterable over *pieces*, of which an exception is raised; close() raises *error*."""

    def __init__(self, *pieces: Any, error: BaseException | None = None) -> None:
        self.pieces = iter(pieces)
        self.error = error

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        piece = next(self.pieces)
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def close(self) -> None:
        if self.error is not None:
            raise self.error


# What is raised before anything is out


def raising_app(error: BaseException, begun: bool) -> Callable[..., Any]:
    def app(start_response: Any) -> Any:
        if begun:
            begin(start_response, ("Content-Length", "5"))
        raise error

    return app


class Odd(BaseException):
    """An exception of an odd family, that cannot be shown either."""

    def __str__(self) -> str:
        raise ValueError("cannot be shown")


RAISED = [
    LookupError("x"),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    StopIteration(),
    MemoryError(),
    ConnectionResetError("the database is gone"),
    BlockingIOError(11, "not now"),
    HttpError(404, "not ours"),
    Odd(),
]
for error in RAISED:
    name = type(error).__name__
    FAULTS[f"{name}_at_once"] = Fault(raising_app(error, False), FAILED)
    FAULTS[f"{name}_after_start_response"] = Fault(raising_app(error, True), FAILED)


@fault(FAILED)
def endless_recursion(start_response: Any) -> Any:
    return endless_recursion(start_response)


@fault(FAILED)
def wrong_signature(start_response: Any) -> Any:
    return (lambda environ: [b"never sent"])(1, 2)  # type: ignore[call-arg, arg-type]


# What is returned


def returned(value: Callable[[], Any], begun: bool = True) -> Callable[..., Any]:
    def app(start_response: Any) -> Any:
        if begun:
            begin(start_response)
        return value()

    return app


async def coroutine() -> None:
    """What an application for another interface returns."""


async def asynchronous() -> Any:
    yield b"never sent"


RETURNED: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "int": lambda: 5,
    "str": lambda: "text",
    "bytes": lambda: b"bytes",
    "dict": lambda: {"a": 1},
    "list of str": lambda: ["text"],
    "list of int": lambda: [1, 2],
    "list of None": lambda: [None],
    "list with str": lambda: [b"never sent", "text"],
    "list of bytearray": lambda: [bytearray(b"x")],
    "list of memoryview": lambda: [memoryview(b"x")],
    "tuple of str": lambda: (b"never sent", "text"),
    "generator of str": lambda: (piece for piece in ["text", b"never sent"]),
    "coroutine": coroutine,
    "async generator": asynchronous,
    "list of list": lambda: [[b"x"]],
}
for kind, value in RETURNED.items():
    FAULTS[f"returns {kind}"] = Fault(returned(value), FAILED)
for kind, value in {
    "list": lambda: [b"never sent"],
    "empty list": list,
    "generator": lambda: iter([b"never sent"]),
    "empty generator": lambda: iter([]),
    "empty pieces": lambda: iter([b"", b""]),
    "None": lambda: None,
}.items():
    FAULTS[f"never starts and returns {kind}"] = Fault(returned(value, begun=False), FAILED)


@fault(FAILED)
def iter_raises(start_response: Any) -> Any:
    class Broken:
        def __iter__(self) -> Any:
            raise LookupError("no iterator")

    begin(start_response)
    return Broken()


@fault(FAILED)
def iter_gives_no_iterator(start_response: Any) -> Any:
    class Broken:
        def __iter__(self) -> Any:
            return 5

    begin(start_response)
    return Broken()


# The head


@fault(FAILED)
def start_response_without_arguments(start_response: Any) -> Any:
    start_response()


@fault(FAILED)
def status_with_crlf(start_response: Any) -> Any:
    begin(start_response, status="200 OK\r\nSet-Cookie: a=b")
    return [b"never sent"]


@fault(FAILED)
def header_with_crlf(start_response: Any) -> Any:
    begin(start_response, ("A", "b\r\n\r\n<script>"))
    return [b"never sent"]


@fault(FAILED)
def interim_status(start_response: Any) -> Any:
    begin(start_response, status="101 Switching Protocols")
    return [b"never sent"]


@fault(FAILED)
def own_transfer_encoding(start_response: Any) -> Any:
    begin(start_response, ("Transfer-Encoding", "chunked"))
    return [b"5\r\nhello\r\n0\r\n\r\n"]


@fault(FAILED)
def two_lengths(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"), ("Content-Length", "6"))
    return [b"hello"]


@fault(FAILED)
def started_twice(start_response: Any) -> Any:
    begin(start_response)
    begin(start_response)
    return [b"never sent"]


@fault(FAILED)
def body_before_the_head(start_response: Any) -> Any:
    yield b"never sent"
    begin(start_response)


# Generators


@fault(FAILED)
def generator_raises_first(start_response: Any) -> Any:
    begin(start_response)
    raise LookupError("x")
    yield b"never sent"


@fault(FAILED)
def generator_raises_after_nothing(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b""
    yield b""
    raise SystemExit


@fault(FAILED)
def close_raises_after_an_error(start_response: Any) -> Any:
    begin(start_response)
    return Closing(LookupError("x"), error=SystemExit(1))


for error in RAISED:
    if not isinstance(error, StopIteration):
        pieces = (b"hel", error)
        FAULTS[f"{type(error).__name__}_midway"] = Fault(
            lambda start_response, pieces=pieces: begin(start_response) and Closing(*pieces), CUT, b"hel"
        )


@fault(CUT, b"hel")
def stop_iteration_midway(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    raise StopIteration  # a RuntimeError outside (PEP 479)


@fault(CUT, b"hel")
def error_before_the_announced_end(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b"hel"
    raise LookupError("x")


@fault(CUT, b"hel")
def str_midway(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    yield "lo"


@fault(CUT, b"hel")
def none_midway(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    yield None


@fault(CUT, b"hel")
def started_again_midway(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    begin(start_response)


@fault(CUT, b"hel")
def error_page_too_late(start_response: Any) -> Any:
    begin(start_response)
    yield b"hel"
    try:
        raise LookupError("x")
    except LookupError:
        start_response("500 Own page", [], sys.exc_info())
        yield b"never sent"


@fault(ENDS, b"hello")
def error_after_the_announced_end(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b"hello"
    raise LookupError("x")


# Lengths


@fault(CUT, b"hel")
def list_too_short(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    return [b"hel"]


@fault(CUT, b"hel")
def generator_too_short(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b"hel"


@fault(CUT)
def nothing_of_what_was_announced(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    return []


@fault(ENDS, b"hello")
def list_too_long(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    return [b"hello", b" world"]


@fault(ENDS, b"hello")
def generator_too_long(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    yield b"hel"
    yield b"lo wor"
    yield b"ld"


@fault(ENDS, b"hello")
def generator_without_end(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))
    while True:
        yield b"hello"


@fault(ENDS)
def something_where_nothing_was_announced(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "0"))
    return [b"stray"]


@fault(WHOLE, logged=False)
def body_of_204(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"), status="204 No Content")
    return [b"stray"]


@fault(WHOLE, logged=False)
def stream_of_304(start_response: Any) -> Any:
    begin(start_response, status="304 Not Modified")
    yield b"stray"
    yield b"stray"


# write()


@fault(FAILED)
def write_of_str(start_response: Any) -> Any:
    begin(start_response)("text")
    return []


@fault(CUT, b"hel")
def error_after_write(start_response: Any) -> Any:
    begin(start_response)(b"hel")
    raise SystemExit


@fault(CUT, b"hel")
def none_after_write(start_response: Any) -> Any:
    begin(start_response)(b"hel")


@fault(CUT, b"hel")
def write_too_short(start_response: Any) -> Any:
    begin(start_response, ("Content-Length", "5"))(b"hel")
    return []


@fault(ENDS, b"hello")
def write_too_long(start_response: Any) -> Any:
    write = begin(start_response, ("Content-Length", "5"))
    write(b"hel")
    write(b"lo world")
    return [b"more"]


# close()

for error in (LookupError("x"), SystemExit(3), KeyboardInterrupt()):
    FAULTS[f"close_raises_{type(error).__name__}"] = Fault(
        lambda start_response, error=error: begin(start_response) and Closing(b"hello", error=error),
        WHOLE,
        b"hello",
    )
