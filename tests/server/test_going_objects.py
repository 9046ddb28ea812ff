"""Objects of the application run code as they go: the server lets them go where calls of other threads can go on."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.loops import looping
from tests.helpers.serving import GET, request
from tests.helpers.waiting import until

HOLD = request(target="/hold")


class Going:
    """An object that calls *called* when it goes."""

    def __init__(self, called: Any) -> None:
        self.called = called

    def __del__(self) -> None:
        self.called()


class GoingBody(Going):
    def __iter__(self) -> Iterator[bytes]:
        return iter([b"body"])


class GoingIterator(Going):
    left = 1

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise StopIteration
        return b"body"


class GoingList(list[bytes]):
    def __init__(self, called: Any) -> None:
        super().__init__([b"body"])
        self.called = called

    __del__ = Going.__del__


class IterableOnly:
    """An iterable whose iterator is another object."""

    def __init__(self, iterator: Iterator[bytes]) -> None:
        self.made = [iterator]

    def __iter__(self) -> Iterator[bytes]:
        return self.made.pop()


class SpoiltClose(IterableOnly):
    def __init__(self, called: Any) -> None:
        super().__init__(iter([b"body"]))
        self.going = [Going(called)]

    def close(self) -> None:
        here = self.going.pop()
        raise ValueError("planned", id(here))


class Ways:
    """Ways in which the server lets an object of the application go, which is made by *going*."""

    def __init__(self, going: Any) -> None:
        self.going = going

    def list(self, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return GoingList(self.going)

    def iterable(self, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return GoingBody(self.going)

    def iterator(self, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return IterableOnly(GoingIterator(self.going))

    def rest(self, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        iterator = GoingIterator(self.going)
        iterator.left = 3
        return IterableOnly(iterator)

    def piece(self, start_response: Any) -> Iterable[Any]:
        start_response("200 OK", [])
        return map(Going, iter([self.going]))

    def close(self, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return SpoiltClose(self.going)

    def failure(self, start_response: Any) -> Iterable[bytes]:
        here = Going(self.going)
        raise ValueError("planned", id(here))

    def gone(self, start_response: Any) -> Iterable[bytes]:
        here = Going(self.going)
        write = start_response("200 OK", [])
        while here:
            write(bytes(65536))
        return []


@pytest.mark.parametrize("way", [name for name in vars(Ways) if name[0] != "_"])
def test_what_is_the_applications_goes_where_calls_can_go_on(build: SimpleNamespace, way: str) -> None:
    """Objects may wait, as they go, for a lock that a call has."""
    lock, entered, going, resumed = threading.Lock(), threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        going.set()
        with lock:
            pass

    ways = Ways(wait)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/hold":
            with lock:
                entered.set()
                resumed.wait(1000)
                start_response("200 OK", [])
            return [b"held"]
        answer: Iterable[bytes] = getattr(ways, way)(start_response)
        return answer

    with looping(build, app, 1) as group, group.connect() as holder, group.connect() as other:
        holder.send(HOLD)
        until(entered.is_set)
        other.send(GET)
        if way == "gone":
            other.socket.close()
        until(going.is_set)
        resumed.set()
        assert holder.answer().body == b"held"
        if way != "gone":
            assert other.answer().status == (500 if way in ("piece", "failure") else 200)
