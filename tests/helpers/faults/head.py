"""Faults before anything of the body is out: what is raised, what is returned, and the head."""

from __future__ import annotations

from typing import Any, Callable

from fastwsgi.http.errors import HttpError
from tests.helpers.faults.table import FAILED, FAULTS, Fault, begin, fault

# What is raised


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


def returned_after(status: str, headers: list[tuple[str, str]], body: bytes) -> Callable[..., Any]:
    def app(start_response: Any) -> Any:
        begin(start_response, *headers, status=status)
        return [body]

    return app


LENGTHS = [("Content-Length", "5"), ("Content-Length", "6")]
for name, status, headers, body in (
    ("status_with_crlf", "200 OK\r\nSet-Cookie: a=b", [], b"never sent"),
    ("header_with_crlf", "200 OK", [("A", "b\r\n\r\n<script>")], b"never sent"),
    ("interim_status", "101 Switching Protocols", [], b"never sent"),
    ("own_transfer_encoding", "200 OK", [("Transfer-Encoding", "chunked")], b"5\r\nhello\r\n0\r\n\r\n"),
    ("two_lengths", "200 OK", LENGTHS, b"hello"),
):
    FAULTS[name] = Fault(returned_after(status, headers, body), FAILED)


@fault(FAILED)
def started_twice(start_response: Any) -> Any:
    begin(start_response)
    begin(start_response)
    return [b"never sent"]


@fault(FAILED)
def body_before_the_head(start_response: Any) -> Any:
    yield b"never sent"
    begin(start_response)
