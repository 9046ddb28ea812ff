"""The table of faults, and what its rows are made with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

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
