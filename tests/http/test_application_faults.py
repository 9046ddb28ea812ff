"""What applications do wrong, and what their clients see of it.

Never may a failed response be taken for a whole one; never may it harm the next. Where nothing of the response is out
the client gets a 500 and the connection goes on; else the response is cut such that the client can tell. FAULTS is the
table; each of its rows is tried in HTTP/1.1, in HTTP/1.0 with and without keep-alive, as HEAD, and between two good
requests that arrive with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.faults import CUT, ENDS, FAILED, FAULTS, Fault
from tests.helpers.serving import GET, Answer, Client, Ended, Server, request, serving


def app(environ: dict[str, Any], start_response: Any) -> Any:
    """Do what the path says."""
    if environ["PATH_INFO"] == "/good":
        start_response("200 OK", [])
        return [b"good"]
    return FAULTS[environ["PATH_INFO"][1:]].app(start_response)


GOOD = GET.replace(b" / ", b" /good ")


def ask_for(name: str, kind: str) -> bytes:
    return request(
        "HEAD" if kind == "HEAD" else "GET",
        "/" + name.replace(" ", "%20"),
        [("Connection", "keep-alive")] if kind == "1.0 kept" else [],
        version=kind[:3] if kind.startswith("1.0") else "1.1",
    )


def judge(answer: Answer, wanted: Fault, to_head: bool) -> None:
    """Hold one answer against its row of the table."""
    if wanted.outcome == FAILED:
        assert answer.line == b"HTTP/1.1 500 Internal Server Error"
        assert (answer.body, answer.whole) == (b"" if to_head else b"500 Internal Server Error\n", True)
        assert answer.get("X-App") is answer.get("Set-Cookie") is None
        return
    assert answer.get("X-App") == "1"
    assert answer.body == (b"" if to_head else wanted.body)
    assert answer.whole == (to_head or wanted.outcome != CUT)


def next_is_unharmed(client: Client, wanted: Fault, kept: bool) -> None:
    """Either the connection ends without another byte, or the next request is answered right."""
    try:
        answer = client.answer()
    except Ended:
        assert wanted.outcome in (CUT, ENDS) or not kept
        return
    assert (answer.status, answer.body, answer.whole) == (200, b"good", True)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Any]]:
    """One server for each build: faults must not add up either."""
    running: dict[str, Any] = {}
    yield running
    for context, _ in running.values():
        context.__exit__(None, None, None)


@pytest.fixture
def server(build: SimpleNamespace, servers: dict[str, Any]) -> Server:
    if build.name not in servers:
        context = serving(build, app)
        servers[build.name] = context, context.__enter__()
    server: Server = servers[build.name][1]
    server.errors.clear()
    return server


def test_there_are_enough_faults() -> None:
    assert len(FAULTS) >= 43


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("kind", ["1.1", "1.0", "1.0 kept", "HEAD"])
def test_fault(server: Server, name: str, kind: str) -> None:
    wanted, to_head = FAULTS[name], kind == "HEAD"
    with server.connect() as client:
        client.send(ask_for(name, kind))
        judge(client.answer(to_head), wanted, to_head)
        if client.end == "":
            try:
                client.send(GOOD)
            except (BrokenPipeError, ConnectionResetError):
                client.end = "reset"
            next_is_unharmed(client, wanted, kind != "1.0")
    assert bool(server.errors) == wanted.logged or to_head
    assert server.ask(GOOD).body == b"good"


@pytest.mark.parametrize("name", FAULTS)
def test_fault_between_good_requests(server: Server, name: str) -> None:
    with server.connect() as client:
        client.send(GOOD + ask_for(name, "1.1") + GOOD)
        assert client.answer().body == b"good"
        judge(client.answer(), FAULTS[name], False)
        next_is_unharmed(client, FAULTS[name], True)


def test_the_traceback_is_for_the_log_only(server: Server) -> None:
    answer = server.ask(ask_for("LookupError_at_once", "1.1"))
    assert b"LookupError" not in answer.body
    assert "Traceback" in server.log
    assert "LookupError: x" in server.log
    assert "GET /LookupError_at_once" in server.log
    assert "test_application_faults.py" in server.log
