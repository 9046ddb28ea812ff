"""Plays a case of http_cases/*.http in memory, in one of some manners, and compares what came of it."""

from __future__ import annotations

from typing import Any

from fastwsgi.http.grammar import reason_phrase
from tests.helpers.case_applications import App
from tests.helpers.cases import Case, Expected, read_fact
from tests.helpers.memory import Bench, Client
from tests.helpers.responses import Response

MANNERS = ("whole", "bytes", "lines", "behind", "trailing")
PIECES = 1500  # a long case goes not byte by byte but in about so many pieces
REFUSALS = (400, 408, 413, 414, 417, 421, 431, 501, 505)
FIRST = b"POST /first HTTP/1.1\r\nHost: first\r\nContent-Length: 2\r\n\r\nhi"
NEXT = b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n"


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
    assert bench.service.turn.out.size == 0


def manners(case: Case) -> tuple[str, ...]:
    """All, but that nothing can follow a client that has not said all, or has closed."""
    return MANNERS[:-1] if case.outcome == "wait" or case.ends else MANNERS
