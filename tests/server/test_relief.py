"""Room in the account of what clients hold, made by the loop: --max-buffered, over sockets."""

from __future__ import annotations

import re
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from fastwsgi.observe.refusals import Refusals, Summary
from tests.helpers.observers import RefusedConnections
from tests.helpers.pki import Pki
from tests.helpers.serving import GET, Ended, await_loop, request, serving

KIB = 1024
MIB = 1 << 20
PART = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X%d: %s\r\n" % (one, b"x" * 7000) for one in range(8))


def app(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/list":
        return [bytes([number % 256]) * 65536 for number in range(320)]
    if environ["PATH_INFO"] == "/stream":
        return (bytes([number]) * MIB * 8 for number in range(3))
    return [b"hello"]


def test_who_holds_most_is_ended_until_there_is_room(build: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    """40 heads of 56 KiB where 1 MiB may be held: enough of them get a 408, and small ones and others stay."""
    summary = Summary()
    refusals = Refusals(summary)
    caplog.set_level("WARNING", "fastwsgi.error")
    with serving(build, app, refusals, max_buffered=MIB, threads=1) as server, ExitStack() as stack:
        small = [stack.enter_context(server.connect()).send(PART[:100]) for _ in range(5)]
        large = []
        for _ in range(40):
            large.append(stack.enter_context(server.connect()).send(PART))
            server.settle()
        await_loop(server, lambda loop: server.errors and not loop.service.holdings.is_full and not loop.turns)
        assert server.ask().body == b"hello"
        server.settle()
        assert server.call(lambda: server.loop.service.holdings.held) <= MIB // 8 * 7
        refused = [one for one in large if one.is_readable(0.001)]
        assert 22 <= len(refused) <= 32
        assert {one.answer().status for one in refused} == {408}
        for client in [*small, *(one for one in large if one not in refused)]:
            assert client.send(b"\r\n\r\n").answer().status == 200
        lines = [message for message, _ in server.errors if "--max-buffered" in message]
        assert len(lines) == 1
    refusals.pass_on()
    summary.close()
    told = re.findall(r"408 \(--max-buffered\): ([0-9]+)", caplog.text)
    assert sum(map(int, told)) == len(refused)


@pytest.mark.parametrize("target", ["/list", "/stream"])
@pytest.mark.parametrize("threads", [1, 4])
def test_responses_that_wait_go_to_files(build: SimpleNamespace, target: str, threads: int) -> None:
    """Six of 20 MiB where 8 MiB may be held: they come whole, and what is held stays within it."""
    with serving(build, app, max_buffered=8 * MIB, threads=threads) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect(4096)).send(request(target=target)) for _ in range(6)]
        service = server.loop.service
        await_loop(server, lambda loop: service.disk.used > 20 * MIB and service.holdings.held <= 8 * MIB)
        assert server.ask().body == b"hello"
        for client in clients:
            answer = client.answer()
            assert (answer.whole, len(answer.body)) == (True, 20 * MIB if target == "/list" else 24 * MIB), server.log
        await_loop(server, lambda loop: service.holdings.held == 0 and service.disk.used == 0)
        assert server.errors == []


def test_who_does_not_read_is_cut_where_there_is_no_file(build: SimpleNamespace) -> None:
    observer = RefusedConnections()
    with serving(build, app, observer, max_buffered=8 * MIB, max_spooled=MIB, threads=1) as server:
        with server.connect(4096) as client:
            client.send(request(target="/list"))
            await_loop(server, lambda loop: loop.service.holdings.held == 0 and not loop.connections)
            assert client.rest()
            assert client.end == "reset"
        assert [reason for _, reason in observer.refused] == ["--max-buffered"]
        lines = [message for message, _ in server.errors]
        assert len(lines) == 2
        assert "--max-spooled" in lines[0]
        assert "--max-buffered" in lines[1]
        assert server.ask().body == b"hello"


def test_part_of_a_proxy_header_counts(build: SimpleNamespace) -> None:
    begun = b"PROXY TCP4 192.0.2.1"
    with serving(build, app, max_buffered=256, proxy_protocol="required", threads=1) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect()).send(begun) for _ in range(20)]
        await_loop(server, lambda loop: 0 < len(loop.connections) < 20 and not loop.turns)
        assert server.call(lambda: server.loop.service.holdings.held) == len(begun) * server.connections()
        for client in clients:
            client.socket.close()
        await_loop(server, lambda loop: loop.service.holdings.held == 0)


def test_tls_counts(build: SimpleNamespace, pki: Pki) -> None:
    """What OpenSSL holds for an idle connection; beyond the limit those that are idle are closed."""
    settings = {**pki.settings, "max_buffered": 200 * KIB, "threads": 1}
    with serving(build, app, **settings) as server, ExitStack() as stack:
        clients = [stack.enter_context(pki.connect(server.address)) for _ in range(20)]
        for client in clients:
            try:
                client.send(GET).answer()
            except (OSError, Ended):
                pass  # it has had to make room
        await_loop(server, lambda loop: 0 < loop.service.holdings.held <= 200 * KIB // 8 * 7 and not loop.turns)
        assert 2 < server.connections() < 10
        for client in clients:
            client.socket.close()
        await_loop(server, lambda loop: loop.service.holdings.held == 0)
