"""start_response(), write() and wsgi.early_hints in orders that no application means: within one another, too late.

Whatever is called from where, a response has one head, in front of its body, and the next request is answered.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from fastwsgi.http.errors import ApplicationError, ClientDisconnected, LoopLost
from fastwsgi.http.stages import CALL
from tests.helpers.calls import POISONS, in_a_thread
from tests.helpers.memory import Bench, Client
from tests.helpers.site_app import GET

FAILED = (500, b"500 Internal Server Error\n", True)
NOTHING = (None, None, None)
OWN = [ClientDisconnected("mine"), LoopLost(), KeyboardInterrupt(), GeneratorExit(), SystemExit(), StopIteration()]


def raising(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def wrong() -> Any:
    return raising(LookupError("what went wrong"))


def served(build: SimpleNamespace, app: Callable[..., Any]) -> tuple[Bench, Client]:
    """A conversation of two requests with *app*, the second of which, /next, is answered well."""

    def either(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/next":
            return app(environ, start_response)
        start_response("200 OK", [])
        return [b"next"]

    bench = Bench(build, either)
    return bench, bench.connect(GET % b"/" + GET % b"/next")


def answers(client: Client) -> list[tuple[int, bytes, bool]]:
    found = [(one.status, one.body, one.whole) for one in client.responses() if one.status >= 200]
    if not client.closed:
        assert found.pop() == (200, b"next", True)
    return found


class Within:
    """The calls that can be made within another; each has a *write* of the head taken before, if there is one."""

    def __init__(self, environ: dict[str, Any], start_response: Any) -> None:
        self.start_response = start_response
        self.calls: dict[str, Callable[[], Any]] = {
            "start": lambda: start_response("200 OK", [("X-Inner", "1")]),
            "replace": lambda: start_response("200 OK", [("X-Inner", "1")], wrong()),
            "write": lambda: start_response.write(b"inner"),
            "hint": lambda: environ["wsgi.early_hints"]([("X-Inner", "1")]),
            "error": self.fail,
            "interrupt": lambda: self.fail(KeyboardInterrupt),
        }

    def fail(self, kind: type[BaseException] = LookupError) -> None:
        raise kind


def make(kind: str, environ: dict[str, Any], start_response: Any, status: Any, headers: Any) -> None:
    """One of the calls that take headers."""
    if kind == "hint":
        environ["wsgi.early_hints"](headers)
    elif kind == "replace":
        start_response("202 First", [("X-First", "1")])
        start_response(status, headers, wrong())
    else:
        start_response(status, headers)


@pytest.mark.parametrize("outer", ["start", "replace", "hint"])
@pytest.mark.parametrize("inner", ["start", "replace", "write", "hint", "error", "interrupt"])
@pytest.mark.parametrize("threaded", [False, True], ids=["", "in a thread"])
def test_a_call_within_another(build: SimpleNamespace, outer: str, inner: str, threaded: bool) -> None:
    for poison in POISONS.values():
        for swallowed in (False, True):

            def app(
                environ: dict[str, Any], start_response: Any, poison: Any = poison, swallowed: bool = swallowed
            ) -> Any:
                call = Within(environ, start_response).calls[inner]
                status, headers = poison(in_a_thread(call) if threaded else call)
                try:
                    make(outer, environ, start_response, status, headers)
                except BaseException:
                    if not swallowed:
                        raise
                return [b"outer"]

            _, client = served(build, app)
            assert answers(client) == [FAILED]
            assert b"X-Inner" not in client.received


def test_a_refused_call_within_another_leaves_the_outer_as_it_was(build: SimpleNamespace) -> None:
    """The inner one is refused; the outer one fails by itself; a third is taken."""
    refused: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        def again() -> None:
            with pytest.raises(ApplicationError, match="within one another") as caught:
                start_response("200 OK", [])
            refused.append(str(caught.value))

        with pytest.raises(ApplicationError):
            start_response(*POISONS["element"](again))
        start_response("201 Third", [])
        return [b"third"]

    _, client = served(build, app)
    assert answers(client) == [(201, b"third", True)]
    assert len(refused) == 1


def test_a_thread_of_the_application_may_make_the_calls(build: SimpleNamespace) -> None:
    """As an executor with a time limit does; only not two at once."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        in_a_thread(lambda: environ["wsgi.early_hints"]([("Link", "</a>")]))()
        in_a_thread(lambda: start_response("200 OK", [])(b"one "))()
        in_a_thread(lambda: start_response.write(b"two"))()
        return []

    _, client = served(build, app)
    assert answers(client) == [(200, b"one two", True)]


def test_a_thread_left_behind_ends_its_call_before_the_response_goes_on(build: SimpleNamespace) -> None:
    """The application returns while a thread of it is in write(), here in the wire below it."""
    sending, returned = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", [])
        client.during_send = stand_still
        threads.append(threading.Thread(target=write, args=(b"one ",), daemon=True))
        threads[0].start()
        assert sending.wait(20)
        threading.Timer(0.02, returned.set).start()  # if the thread were not waited for, this would be too late
        return iter([b"two"])

    def stand_still() -> None:
        client.during_send = lambda: None
        sending.set()
        assert returned.wait(20)

    bench = Bench(build, app)
    client = bench.connect()
    client.send(GET % b"/")
    threads[0].join(20)
    assert answers_of(client) == [(200, b"one two", True)]


def test_one_that_never_ends_its_call_is_not_waited_for(build: SimpleNamespace) -> None:
    """As if an exception had come between two steps of it; the response is cut."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])(b"one ")
        start_response.floor = CALL
        return [b"two"]

    bench = Bench(build, app)
    pauses: list[int] = []
    bench.loop.pause = lambda: pauses.append(1)  # type: ignore[method-assign]
    client = bench.connect(GET % b"/")
    assert len(pauses) == 5000
    assert client.closed
    assert not answers_of(client)[0][2]


def answers_of(client: Client) -> list[tuple[int, bytes, bool]]:
    return [(one.status, one.body, one.whole) for one in client.responses()]


# Out of time


@pytest.mark.parametrize("call", ["start", "replace", "write", "hint"])
@pytest.mark.parametrize("when", ["close", "after the end", "in another request"])
def test_a_call_out_of_time(build: SimpleNamespace, call: str, when: str) -> None:
    kept: list[Callable[[], Any]] = []
    errors: list[BaseException] = []

    def late() -> None:
        for one in kept:
            try:
                one()
            except Exception as error:
                errors.append(error)

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            yield b"body"

        def close(self) -> None:
            if when == "close":
                late()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/other":
            start_response("200 OK", [])
            late()
            return iter([b"other"])
        kept.append(Within(environ, start_response).calls[call])
        start_response("200 OK", [])
        return Pieces()

    bench, client = served(build, app)
    if when == "after the end":
        late()
    other = bench.connect(GET % b"/other")
    assert answers(client) == [(200, b"body", True)]
    assert answers_of(other) == [(200, b"other", True)]
    assert len(errors) == (0 if call == "hint" else 1 if when == "in another request" else 2)


def test_objects_that_go_with_their_environ_find_nothing(build: SimpleNamespace) -> None:
    seen: list[Any] = []

    class Going:
        def __init__(self, start_response: Any) -> None:
            self.start_response = start_response

        def __del__(self) -> None:
            seen.append(self.start_response.environ)
            with pytest.raises(ApplicationError):
                self.start_response("200 OK", [])

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        environ["going"] = Going(start_response)
        start_response("200 OK", [])
        return [b"body"]

    _, client = served(build, app)
    assert answers(client) == [(200, b"body", True)]
    assert seen == [None]


# exc_info


def test_exc_info_without_an_exception_is_as_if_none_was_passed(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [], sys.exc_info())
        with pytest.raises(ApplicationError, match="second time"):
            start_response("500 Own", [], NOTHING)
        yield b"one "
        with pytest.raises(ApplicationError, match="second time"):
            start_response("500 Own", [], NOTHING)
        yield b"two"

    _, client = served(build, app)
    assert answers(client) == [(200, b"one two", True)]


class Error(Exception):
    """Its method, if it was called, would do anything."""

    def with_traceback(self, trace: Any) -> Any:
        raise AssertionError("called")


@pytest.mark.parametrize("given", [(), (1, 2, 3), (None, 1, None), (Error, Error(), 7), [1], "abc", False, object()])
@pytest.mark.parametrize("started", [False, True], ids=["", "started"])
def test_exc_info_that_is_none(build: SimpleNamespace, given: Any, started: bool) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", [])
        if started:
            write(b"one ")
        with pytest.raises(ApplicationError, match="exc_info is not"):
            start_response("500 Own", [], given)
        return iter([b"two"])

    _, client = served(build, app)
    assert answers(client) == [(200, b"one two" if started else b"two", True)]


def test_the_error_is_raised_without_its_own_methods(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])(b"one ")
        with pytest.raises(Error):
            start_response("500 Own", [], raising(Error()))
        return iter([b"two"])

    _, client = served(build, app)
    assert answers(client) == [(200, b"one two", True)]


# Exceptions that mean something to the server


@pytest.mark.parametrize("error", OWN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["call", "iter", "next", "repr"])
def test_an_exception_of_the_servers_own_is_the_applications(
    build: SimpleNamespace, error: BaseException, where: str
) -> None:
    class Pieces:
        def __iter__(self) -> Any:
            if where == "iter":
                raise error
            return self

        def __next__(self) -> bytes:
            raise error

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        if where == "call":
            raise error
        if where == "repr":
            start_response(*POISONS["element"](Within(environ, start_response).fail), wrong())
        return Pieces()

    bench, client = served(build, app)
    if where == "next" and isinstance(error, StopIteration):
        assert answers(client) == [(200, b"", True)]
        return
    assert answers(client) == [FAILED]
    assert [message for message, _ in bench.errors] == ["the application failed (GET /)"]


@pytest.mark.parametrize("error", OWN, ids=lambda error: type(error).__name__)
def test_so_it_is_in_close_and_in_what_the_log_reads(build: SimpleNamespace, error: BaseException) -> None:
    def fail(*_: object) -> Any:
        raise error

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        environ["RAW_URI"] = type("Target", (), {"__str__": fail})()
        start_response("200 OK", [])
        return type("Pieces", (), {"__iter__": lambda self: iter([b"body"]), "close": fail})()

    bench, client = served(build, app)
    assert answers(client) == [(200, b"body", True)]
    assert [message for message, _ in bench.errors] == ["close() of the response failed (?)"]


# No stack, no memory


def deep(call: Callable[[], Any]) -> bool:
    """Make *call* with less and less stack left, from where it fails to where it does not; whether it did at last."""
    try:
        return deep(call)
    except RecursionError:
        call()
        return True


@pytest.mark.parametrize("call", ["start", "write", "hint"])
def test_without_stack(build: SimpleNamespace, call: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        one = Within(environ, start_response).calls[call]
        if call == "write":
            start_response("200 OK", [])
        deep(one)
        if call == "hint":
            start_response("200 OK", [])
        return iter([b"outer"])

    _, client = served(build, app)
    found = [one for one in client.responses() if one.status >= 200]  # each with one head, or nothing reads them
    assert client.closed or (found[0].status, found[0].whole) == (200, True)
