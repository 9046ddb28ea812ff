"""Runs the cases of http_cases/*.http; cases.py tells how they read.

Each case runs in three servers (compiled, compiled without the scanner, pure) and in five manners: whole, byte by
byte, line by line, behind another request, and with another request behind it, which must be answered if the connection
stays open and must not if it closes. The outcome is the same in all of them. A refusal (a 4xx or 5xx that the server
gives without asking the application) is held to its form without being told.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable

import pytest
from cases import Case, Expected, all_cases, read_fact
from conftest import without_compiled
from memory import Bench, Client, Response

from fastwsgi import backend
from fastwsgi.http.grammar import reason_phrase

SERVERS = ("c", "c-noscan", "py")
MANNERS = ("whole", "bytes", "lines", "behind", "trailing")
PIECES = 1500  # a long case goes not byte by byte but in about so many pieces
REFUSALS = (400, 408, 413, 414, 417, 431, 501, 505)
FIRST = b"POST /first HTTP/1.1\r\nHost: first\r\nContent-Length: 2\r\n\r\nhi"
NEXT = b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n"


# The applications


class App:
    """Notes each request, and answers as *answer* says."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer
        self.seen: list[tuple[dict[str, Any], bytes]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        body = environ["wsgi.input"].read()
        self.seen.append((dict(environ), body))
        neighbour = environ["PATH_INFO"] in ("/first", "/next")
        return (echo if neighbour else self.answer)(environ, body, start_response)


def echo(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """Says what was asked."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {len(body)}\n".encode("latin-1")]


def stream(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """Two pieces of which nobody said how long they are."""
    start_response("200 OK", [])
    return iter([b"one ", b"two"])


def closing(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """Wants the connection closed."""
    start_response("200 OK", [("Connection", "Close")])
    return [b"bye"]


def no_content(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """204, and a body that must not go out."""
    start_response("204 No Content", [])
    return [b"ignored"]


def not_modified(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """304 with the length of what it does not send."""
    start_response("304 Not Modified", [("Content-Length", "42"), ("ETag", '"x"')])
    return []


def short(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """Says more than it gives."""
    start_response("200 OK", [("Content-Length", "10")])
    return [b"four"]


def long(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """Gives more than it said."""
    start_response("200 OK", [("Content-Length", "4")])
    return [b"four and more"]


def failing(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """Raises before it has said anything."""
    raise SystemExit(3)


def late(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """Raises half-way."""
    start_response("200 OK", [])
    yield b"half"
    raise RuntimeError("half-way")


APPS = {one.__name__: one for one in (echo, stream, closing, no_content, not_modified, short, long, failing, late)}


# Running a case


def pieces(data: bytes, manner: str) -> list[bytes]:
    """*data* as the chunks in which it arrives."""
    if manner == "lines":
        return data.splitlines(keepends=True)
    size = len(data) // PIECES + 1 if manner == "bytes" else len(data)
    return [data[at : at + size] for at in range(0, len(data), size)] if data else []


def play(case: Case, manner: str, bench: Bench) -> Client:
    """Send what the client of *case* sends."""
    client = bench.connect(FIRST if manner == "behind" else b"")
    last = len(case.sent) - 1
    for number, data in enumerate(case.sent):
        if manner == "trailing" and number == last:
            data += NEXT
        client.send(*pieces(data, manner))
    if case.ends:
        client.end()
    return client


def check(case: Case, manner: str, bench: Bench, app: App) -> None:
    """Play *case* once and compare."""
    app.seen.clear()
    client = play(case, manner, bench)
    found = client.responses([environ["REQUEST_METHOD"] for environ, _ in app.seen])
    expected = list(case.expected)
    seen = list(app.seen)
    if manner == "behind":
        assert found.pop(0).status == 200
        assert seen.pop(0)[0]["PATH_INFO"] == "/first"
    if manner == "trailing" and case.outcome == "open":
        assert found.pop().status == 200
        assert seen.pop()[0]["PATH_INFO"] == "/next"
    compare(expected, found, seen)
    compare_end(case, client, bench)


def compare(expected: list[Expected], found: list[Response], seen: list[tuple[dict[str, Any], bytes]]) -> None:
    """Hold the responses, and what the application saw, to what was expected."""
    statuses = [response.status for response in found]
    wanted = [one for one in expected if not one.optional or one.status in statuses]
    assert statuses == [one.status for one in wanted]
    for one, response in zip(wanted, found):
        asked = seen.pop(0) if seen and response.status >= 200 else None
        if asked is None and response.status >= 200:
            check_refusal(response)
        for fact in one.facts:
            check_fact(fact, response, asked)
    assert not seen, "the application was called more often than it was answered"


def check_refusal(response: Response) -> None:
    """http/HTTP.md, "Refusals": complete, closing, constant, no echo of input."""
    assert response.status in REFUSALS
    text = f"{response.status} {reason_phrase(response.status)}\n"
    assert response.body == text.encode()
    assert response.whole
    assert response.field("Connection") == "close"
    assert response.field("Content-Type") == "text/plain"
    assert response.field("Content-Length") == str(len(text))
    assert response.field("Date") is not None


def check_fact(fact: str, response: Response, asked: Any) -> None:
    """One line of what is expected: of the response, or of what the application saw."""
    read = read_fact(fact)
    name = read.name
    if read.of_response:
        found = response.field(name)
    elif name == "whole":
        found = response.whole
    elif name == "text":
        found = response.body.decode("latin-1")
    else:
        assert asked is not None, "the application was not called"
        environ, body = asked
        found = body.decode("latin-1") if name == "body" else environ.get(name)
    if read.value is None:
        assert (found is None) == read.absent, f"{name} is {found!r}"
    else:
        assert (found if isinstance(found, str) else repr(found)) == read.value, name


def compare_end(case: Case, client: Client, bench: Bench) -> None:
    """Hold the connection to how it was to end, and the bench to be as it was."""
    assert not client.reset
    assert client.is_open == (case.outcome != "close"), f"the connection is {client.connection.state}"
    if case.outcome == "open":
        assert client.connection.state == "idle"
    client.end()
    assert client.closed
    assert bench.shared.out.size == 0


ALL = all_cases()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> tuple[SimpleNamespace, bool]:
    """A build, and whether its scanner is on."""
    name, _, option = request.param.partition("-")
    if name == "c" and without_compiled():
        pytest.skip("told to run without the compiled build")
    return backend.build(name), not option


def manners(case: Case) -> tuple[str, ...]:
    """All, but that nothing can follow a client that has not said all, or has closed."""
    return MANNERS[:-1] if case.outcome == "wait" or case.ends else MANNERS


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{theme}: {case.name}") for theme, case in ALL])
def test_case(server: tuple[SimpleNamespace, bool], case: Case) -> None:
    build, scanner = server
    for manner in manners(case):
        app = App(APPS[case.app])
        bench = Bench(build, app, scanner=scanner, **case.settings)
        # The tables of the scanner keep a line at its second sight, so the third time comes from them.
        for _ in range(3 if manner == "whole" else 1):
            try:
                check(case, manner, bench, app)
            except AssertionError as error:
                raise AssertionError(f"sent in the manner {manner!r}: {error}") from error


def test_names_are_unique() -> None:
    names = [(theme, case.name) for theme, case in ALL]
    assert len(set(names)) == len(names)


def test_each_case_says_how_it_ends() -> None:
    assert [case.name for _, case in ALL if not case.outcome or not case.sent] == []
