"""Requests that are refused: what the access log and the trace say of them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.access_logs import logging
from tests.helpers.serving import answering, chunked, request

FIELDS = [("User-Agent", "me"), ("Referer", "there")]


def with_length(length: str) -> bytes:
    return request("POST", "/up?a=b", [*FIELDS, ("Content-Length", length)])


CHUNKED = request("POST", "/up?a=b", [*FIELDS, ("Transfer-Encoding", "chunked")])


@pytest.mark.parametrize(
    ("sent", "code", "settings"),
    [
        (with_length("11"), 413, {"limit_request_body": 10}),
        (CHUNKED + chunked(b"x" * 11), 413, {"limit_request_body": 10}),
        (CHUNKED + b"nonsense\r\n", 400, {}),
        (request("POST", "/up?a=b", [*FIELDS, ("Transfer-Encoding", "gzip, chunked")]), 501, {}),
        (request("POST", "/up?a=b", [*FIELDS, ("Expect", "wonders")]), 417, {}),
        (request("POST", "/up?a=b", [*FIELDS, ("X", "y" * 300)]), 431, {"limit_request_field_size": 200}),
        (request("POST", "/up?a=b", [*FIELDS, *[("X", "y")] * 20]), 431, {"limit_request_fields": 20}),
        (request("POST", "/up?a=b", [*FIELDS, ("Host", "other")]), 400, {}),
        (request("POST", "/up?a=b", [*FIELDS, ("A b", "c")]), 400, {}),
        (request("POST", "https://test/up?a=b", FIELDS), 421, {}),
        (request("POST", "/up?a=b", FIELDS).replace(b"1.1", b"3.0"), 505, {}),
        (request("BREW+" * 7, "/up?a=b", FIELDS), 501, {}),
    ],
)
def test_a_sound_head_is_shown(
    build: SimpleNamespace, tmp_path: Path, sent: bytes, code: int, settings: dict[str, Any]
) -> None:
    with logging(build, tmp_path, answering(b"hello"), **settings) as (server, log):
        answer = server.ask(sent)
        assert answer.status == code
        (line,) = log.lines()
    assert line["request"] == sent.split(b"\r\n")[0].decode()
    assert (line["code"], line["referer"], line["agent"]) == (str(code), "there", "me")
    assert int(line["bytes"]) == len(answer.body)


def test_in_json(build: SimpleNamespace, tmp_path: Path) -> None:
    with logging(build, tmp_path, answering(b"hello"), "json", limit_request_body=10) as (server, log):
        server.ask(with_length("11"))
        server.ask(CHUNKED + chunked(b"x" * 11))
        early, late = map(json.loads, log.text())
    assert 0 <= late.pop("http.server.request.duration") < 60
    assert late.pop("http.server.request.queue_time") == 0
    assert early.pop("http.server.request.duration") is early.pop("http.server.request.queue_time") is None
    for line in (early, late):
        assert line["http.request.method"] == "POST"
        assert line["url.path"] == "/up"
        assert line["url.query"] == "a=b"
        assert line["url.scheme"] == "http"
        assert line["network.protocol.version"] == "1.1"
        assert line["user_agent.original"] == "me"


def test_a_request_that_is_late(build: SimpleNamespace, tmp_path: Path) -> None:
    with logging(build, tmp_path, answering(b"hello")) as (server, log):
        with server.connect() as head, server.connect() as body, server.connect() as nothing:
            head.send(b"GET /half HTTP/1.1\r\nUser-Agent: me\r\nAcc")
            body.send(with_length("11"))
            for _ in range(7):
                server.advance(11)
            for client in (head, body):
                assert client.answer().status == 408
            nothing.rest()
        lines = {(line["request"], line["agent"], line["code"]) for line in log.lines()}
    assert lines == {("GET /half HTTP/1.1", "me", "408"), ("POST /up?a=b HTTP/1.1", "me", "408"), ("-", "-", "408")}


def test_whatever_a_line_was(build: SimpleNamespace, tmp_path: Path) -> None:
    format = "%(r)s|%(m)s|%(U)s|%({x-y}i)s|%(L)s"
    with logging(build, tmp_path, answering(b"hello"), format) as (server, log):
        server.ask(b'GET /a b" HTTP/1.1\r\nX-Y: z\r\n\r\n')
        server.ask(b"GET\x01 / HTTP/1.1\r\nX-Y: z\r\n\r\n")
        server.ask(b"GET /%41 HTTP/1.1\r\nX-Y: z\r\n\r\n")
        assert log.text() == [
            r"GET /a b\x22 HTTP/1.1|-|-|-|-",
            r"GET\x01 / HTTP/1.1|-|-|-|-",
            "GET /%41 HTTP/1.1|GET|/A|z|-",
        ]
