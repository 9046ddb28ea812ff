"""Request bodies: big ones in bounded memory, and cut or broken ones never in the application's hands."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.processes import ISOLATED, Process, running
from tests.helpers.serving import chunked, request, serving

MIB = 1 << 20
BIG = 200  # MiB
CHUNKED = [("Transfer-Encoding", "chunked")]


def blocks(count: int) -> Iterator[bytes]:
    """*count* MiB, no two alike."""
    block = os.urandom(MIB - 8)
    for number in range(count):
        yield number.to_bytes(8, "big") + block


@pytest.fixture
def server(build: SimpleNamespace, tmp_path: Path) -> Iterator[Process]:
    with running([str(ISOLATED / "applications.py"), "digest"], build.name, TMPDIR=str(tmp_path)) as process:
        yield process


def temporary_files(process: Process) -> list[str]:
    return [one for one in process.descriptors() if "deleted" in one]


@pytest.mark.measures_memory
@pytest.mark.parametrize("kind", ["length", "chunked"])
def test_200_mb_in_bounded_memory(server: Process, tmp_path: Path, kind: str) -> None:
    sha = hashlib.sha256()
    with server.connect() as client:
        for _ in range(2):  # warm
            assert client.send(request("POST", body=b"x" * MIB)).answer().status == 200
        descriptors = sorted(server.descriptors())
        before = server.mark_memory()
        if kind == "length":
            client.send(request("POST", fields=[("Content-Length", str(BIG * MIB))]))
        else:
            client.send(request("POST", fields=CHUNKED))
        for block in blocks(BIG):
            sha.update(block)
            client.send(block if kind == "length" else chunked(block, end=b""))
        if kind == "chunked":
            client.send(chunked())
        answer = client.answer()
        assert answer.body == f"{BIG * MIB} {BIG * MIB} {sha.hexdigest()}".encode()
        assert server.most_memory() - before <= 16 * MIB
        assert client.send(request()).answer().status == 200
        assert sorted(server.descriptors()) == descriptors
        assert list(tmp_path.iterdir()) == []


def test_the_temporary_file_goes_with_the_client(server: Process, tmp_path: Path) -> None:
    with server.connect() as client, server.connect() as other:
        client.send(request("POST", fields=[("Content-Length", str(8 * MIB))]))
        for block in blocks(7):
            client.send(block)
        while len(temporary_files(server)) != 1:
            assert other.send(request()).answer().status == 200
        client.reset()
        while temporary_files(server):
            assert other.send(request()).answer().status == 200
    assert list(tmp_path.iterdir()) == []


# What never reaches the application


def refused(build: SimpleNamespace, sent: bytes, status: int, finish: bool = False, **settings: Any) -> None:
    """Check that *sent* is refused with *status*, that the application is not called, and nothing is left open."""
    called: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        called.append(environ)
        start_response("200 OK", [])
        return []

    before = len(os.listdir("/proc/self/fd"))
    with serving(build, app, **settings) as server:
        with server.connect() as client:
            client.send(sent)
            if finish:
                client.finish()
            answer = client.answer()
            assert (answer.status, answer.whole, answer.get("Connection")) == (status, True, "close")
            assert (client.rest(), client.end) == (b"", "closed")
        assert server.connections() == 0
        assert server.errors == []
    assert called == []
    assert len(os.listdir("/proc/self/fd")) <= before


LONG = request("POST", fields=[("Content-Length", "100000")])


@pytest.mark.parametrize("spool_size", [16, 10**6], ids=["file", "memory"])
@pytest.mark.parametrize(
    "sent",
    [
        LONG,
        LONG + b"x" * 1000,
        LONG + b"x" * 99999,
        request("POST", fields=CHUNKED),
        request("POST", fields=CHUNKED) + chunked(b"x" * 1000, end=b""),
        request("POST", fields=CHUNKED) + chunked(b"x" * 1000, end=b"0\r\n"),
        request("POST", fields=CHUNKED) + b"3e8\r\n" + b"x" * 999,
    ],
)
def test_a_body_that_ends_early_is_refused(build: SimpleNamespace, sent: bytes, spool_size: int) -> None:
    refused(build, sent, 400, finish=True, spool_size=spool_size)


@pytest.mark.parametrize("spool_size", [16, 10**6], ids=["file", "memory"])
@pytest.mark.parametrize(
    "wrong", [b"xyz\r\n", b"5\r\nhello!!", b"5\nhello\r\n", b"-5\r\nhello", b"0\r\nno colon\r\n\r\n"]
)
def test_a_body_that_breaks_the_coding_is_refused(build: SimpleNamespace, wrong: bytes, spool_size: int) -> None:
    sent = request("POST", fields=CHUNKED) + chunked(b"x" * 1000, end=b"") + wrong
    refused(build, sent, 400, spool_size=spool_size)


def test_a_body_over_the_limit_is_refused_at_once(build: SimpleNamespace) -> None:
    expecting = [("Expect", "100-continue"), ("Content-Length", "1001")]
    refused(build, request("POST", fields=expecting), 413, limit_request_body=1000)
    refused(build, request("POST", fields=CHUNKED) + b"3e9\r\n", 413, limit_request_body=1000)
    sent = request("POST", fields=CHUNKED) + chunked(b"x" * 999, b"yy")
    refused(build, sent, 413, limit_request_body=1000, spool_size=16)


def test_a_body_of_just_the_limit_is_taken(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    body = b"x" * 1000
    with serving(build, app, limit_request_body=1000) as server, server.connect() as client:
        assert client.send(request("POST", body=body)).answer().body == body
        assert client.send(request("POST", fields=CHUNKED) + chunked(body)).answer().body == body


@pytest.mark.parametrize("coded", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("length", [MIB, MIB + 1, 2 * MIB])
def test_a_long_body_and_the_request_behind_it(build: SimpleNamespace, length: int, coded: bool) -> None:
    """In memory up to the spool size, whatever the steps in which it arrives, and after "100 Continue"."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [hashlib.sha256(environ["wsgi.input"].read()).digest()]

    body = os.urandom(length)
    fields = CHUNKED if coded else [("Content-Length", str(length))]
    with serving(build, app, spool_size=MIB) as server, server.connect() as client:
        for more in ([], [("Expect", "100-continue")]):
            client.send(request("POST", fields=[*fields, *more]))
            if more:
                assert client.answer().status == 100
            client.send((chunked(body) if coded else body) + request())
            assert client.answer().body == hashlib.sha256(body).digest()
            assert client.answer().body == hashlib.sha256(b"").digest()


def test_a_client_that_is_refused_while_it_sends_can_read_why(build: SimpleNamespace) -> None:
    """We read on for a while after the refusal: else the system would reset the connection under the answer."""
    with serving(build, lambda environ, start_response: [], limit_request_body=1000) as server:
        with server.connect() as client:
            client.send(request("POST", fields=[("Content-Length", "900000")]))
            client.send(b"x" * 900000)
            assert client.answer().status == 413
        with server.connect() as client:
            client.send(request("POST", fields=[("Content-Length", "90000000")]))
            with pytest.raises((BrokenPipeError, ConnectionResetError)):  # but not for ever
                client.send(b"x" * 90000000)


def test_others_are_served_while_an_upload_goes_on(build: SimpleNamespace) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"%d" % len(environ["wsgi.input"].read())]

    with serving(build, app, spool_size=1000) as server, server.connect() as slow, server.connect() as other:
        slow.send(request("POST", fields=[("Content-Length", "5000")]))
        for _ in range(5):
            slow.send(b"x" * 1000)
            assert other.send(request("POST", body=b"abc")).answer().body == b"3"
        assert slow.answer().body == b"5000"
