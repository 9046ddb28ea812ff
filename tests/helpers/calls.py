"""Objects that call back: what a server that looks at the arguments of an application may set off."""

from __future__ import annotations

import threading
from typing import Any, Callable

Call = Callable[[], Any]


def element(call: Call) -> tuple[str, list[Any]]:
    """An element of the headers that is no tuple, whose representation calls."""
    kind = type("Element", (), {"__repr__": lambda self: str(call())})
    return "200 OK", [("X-Bad", "1"), kind()]


def pair(call: Call) -> tuple[str, list[Any]]:
    """A subclass of tuple that does whatever is asked of it."""
    methods = ("__repr__", "__len__", "__getitem__", "__iter__", "__eq__", "__hash__")
    kind: Any = type("Pair", (tuple,), {name: lambda self, *_: str(call()) for name in methods})
    return "200 OK", [("X-Bad", "1"), kind(("A", "b"))]


def name(call: Call) -> tuple[str, list[Any]]:
    kind: Any = type("Name", (str,), {"__repr__": lambda self: str(call()), "lower": lambda self: str(call())})
    return "200 OK", [("X-Bad", "1"), (kind("A"), "b")]


def value(call: Call) -> tuple[str, list[Any]]:
    kind: Any = type("Value", (), {"__repr__": lambda self: str(call()), "__class__": property(lambda self: call())})
    return "200 OK", [("X-Bad", "1"), ("A", kind())]


def status(call: Call) -> tuple[Any, list[Any]]:
    kind: Any = type("Status", (str,), {"__repr__": lambda self: str(call()), "__len__": lambda self: call()})
    return kind("200 OK"), [("X-Bad", "1")]


def headers(call: Call) -> tuple[str, Any]:
    """A subclass of list, whose class even names itself by a call."""
    meta = type("Meta", (type,), {"__name__": property(lambda cls: str(call()))})
    return "200 OK", meta("Headers", (list,), {"__iter__": lambda self: iter([call()])})([("X-Bad", "1")])


POISONS: dict[str, Callable[[Call], tuple[Any, Any]]] = {
    made.__name__: made for made in (element, pair, name, value, status, headers)
}


def in_a_thread(call: Call) -> Call:
    """*call*, made by another thread to its end; it raises what that raised."""

    def wait() -> Any:
        failures: list[BaseException] = []

        def run() -> None:
            try:
                call()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    return wait
