"""The demo application: correct by PEP 3333 on any server, and what its page promises."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from fastwsgi import backend, demo


@dataclass
class Answer:
    status: str
    headers: dict[str, str]
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def request(path: str, method: str = "GET", body: bytes = b"", **environ: Any) -> Answer:
    """Call the demo through wsgiref's validator and return all it answers."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", **environ}
    environ.setdefault("wsgi.input", io.BytesIO(body))
    if body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    setup_testing_defaults(environ)
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started.append((status, headers))

    result: Any = validator(demo.app)(environ, start_response)
    try:
        chunks = list(result)
    finally:
        result.close()
    status, headers = started[-1]
    return Answer(status, dict(headers), chunks)


def test_page() -> None:
    answer = request("/", SERVER_SOFTWARE="fastwsgi/1.2", SCRIPT_NAME="/shop")
    assert answer.status == "200 OK"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    page = answer.body.decode()
    assert "fastwsgi/1.2" in page
    assert backend.build_title() in page
    assert 'href="/shop/stream"' in page
    assert "<th>REQUEST_METHOD<td>GET" in page


def test_page_needs_nothing_from_elsewhere() -> None:
    page = request("/", HTTP_HOST="h").body
    assert not any(mark in page for mark in (b"http:", b"https:", b"<script", b"<link", b"@import"))


def test_page_escapes_what_the_client_sent() -> None:
    page = request("/", HTTP_USER_AGENT="<script>\"'&", QUERY_STRING="<b>").body
    assert b"<script" not in page
    assert b"&lt;script&gt;&quot;&#x27;&amp;" in page
    assert b"<b>" not in page


def test_page_shows_bytes_as_the_text_they_are() -> None:
    page = request("/", HTTP_X_NAME="Jos\u00e9".encode().decode("latin-1")).body.decode()
    assert "Jos\u00e9" in page


@pytest.mark.parametrize("path", ["/", "/stream", "/big", "/file", "/headers", "/missing"])
def test_head_is_get_without_the_body(path: str) -> None:
    get, head = request(path), request(path, "HEAD")
    assert head.status == get.status
    assert head.headers.keys() == get.headers.keys()
    assert head.body == b""


@pytest.mark.parametrize("body", [b"", b"a", b"a" * 1_000_000])
def test_echo(body: bytes) -> None:
    answer = request("/echo", "POST", body)
    assert answer.body == body
    assert answer.headers["Content-Length"] == str(len(body))
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_echo_of_a_body_without_a_length() -> None:
    terminated = {"wsgi.input": io.BytesIO(b"a" * 100_000), "wsgi.input_terminated": True}
    answer = request("/echo", "POST", **terminated)
    assert answer.body == b"a" * 100_000
    assert "Content-Length" not in answer.headers


def test_echo_reads_nothing_when_there_is_no_body() -> None:
    class Blocking(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            raise AssertionError("would block")

    assert request("/echo", "POST", **{"wsgi.input": Blocking()}).body == b""


def test_stream() -> None:
    answer = request("/stream")
    assert answer.chunks == [f"line {n} of 20\n".encode() for n in range(1, 21)]
    assert "Content-Length" not in answer.headers


def test_big() -> None:
    answer = request("/big")
    assert answer.headers["Content-Length"] == "100000000"
    assert sum(map(len, answer.chunks)) == 100_000_000
    assert all(chunk is answer.chunks[0] for chunk in answer.chunks)


@pytest.mark.parametrize("environ", [{}, {"wsgi.file_wrapper": FileWrapper}])
def test_file(environ: dict[str, Any]) -> None:
    answer = request("/file", **environ)
    source = Path(demo.__file__).read_bytes()
    assert answer.body == source
    assert answer.headers["Content-Length"] == str(len(source))


def test_headers() -> None:
    fields = json.loads(request("/headers", HTTP_HOST="h", HTTP_X_REQUEST_ID="7").body)
    assert fields == {"Host": "h", "X-Request-Id": "7"}


def test_error() -> None:
    with pytest.raises(RuntimeError, match="the demo's /error"):
        request("/error")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_not_found(method: str) -> None:
    assert request("/nothing/here", method).status == "404 Not Found"


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/", "POST", "GET, HEAD, OPTIONS"),
        ("/echo", "GET", "POST, PUT, OPTIONS"),
        ("/big", "DELETE", "GET, HEAD, OPTIONS"),
    ],
)
def test_method_not_allowed(path: str, method: str, allow: str) -> None:
    answer = request(path, method)
    assert answer.status == "405 Method Not Allowed"
    assert answer.headers["Allow"] == allow


def test_options() -> None:
    answer = request("/echo", "OPTIONS")
    assert (answer.status, answer.headers, answer.body) == (
        "204 No Content",
        {"Allow": "POST, PUT, OPTIONS"},
        b"",
    )


def test_empty_path_is_the_page() -> None:
    assert request("", SCRIPT_NAME="/shop").status == "200 OK"
