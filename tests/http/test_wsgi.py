"""What an application is given (PEP 3333): environ, wsgi.input, wsgi.errors, wsgi.early_hints, and start_response."""

from __future__ import annotations

import io
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from wsgiref.validate import validator

import pytest

import fastwsgi
from tests.helpers.serving import GET, GET_1_0, HEAD, answering, chunked, request, serving

CHUNKED_POST = request("POST", fields=[("Transfer-Encoding", "chunked")])
BODY = b"one\ntwo\n\nlast"

# environ


def keep(environs: list[dict[str, Any]]) -> Any:
    """An application that keeps each environ."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return [b"kept"]

    return app


def test_environ_tells_both_ends(build: SimpleNamespace) -> None:
    environs: list[dict[str, Any]] = []
    with serving(build, keep(environs)) as server, server.connect() as client:
        client.send(GET).answer()
        host, port = client.socket.getsockname()
        environ = environs[0]
        assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == (host, str(port))
        assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", str(server.address[1]))


def test_environ_has_what_the_pep_wants(build: SimpleNamespace) -> None:
    environs: list[dict[str, Any]] = []
    with serving(build, keep(environs)) as server:
        server.ask(request("POST", "/a%20b?c=%20", [("Content-Type", "text/x"), ("X-Y", "z")], body=b"1234"))
    environ = environs[0]
    assert type(environ) is dict
    wanted = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=%20",
        "RAW_URI": "/a%20b?c=%20",
        "REQUEST_URI": "/a%20b?c=%20",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": f"fastwsgi/{fastwsgi.__version__}",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "4",
        "HTTP_HOST": "test",
        "HTTP_X_Y": "z",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    assert {key: environ.get(key) for key in wanted} == wanted
    assert {type(value) for key, value in environ.items() if not key.startswith(("wsgi.", "fastwsgi."))} == {str}
    assert callable(environ["wsgi.file_wrapper"])
    assert callable(environ["wsgi.early_hints"])
    assert callable(environ["fastwsgi.client_disconnected"])
    assert "HTTP_CONTENT_LENGTH" not in environ
    assert "HTTP_CONTENT_TYPE" not in environ


def test_environ_leaves_out_what_was_not_sent(build: SimpleNamespace) -> None:
    environs: list[dict[str, Any]] = []
    with serving(build, keep(environs)) as server:
        server.ask()
    assert not {"CONTENT_LENGTH", "CONTENT_TYPE"} & environs[0].keys()


def test_a_chunked_request_looks_like_one_with_a_length(build: SimpleNamespace) -> None:
    environs: list[dict[str, Any]] = []
    with serving(build, keep(environs)) as server:
        server.ask(CHUNKED_POST + chunked(b"abc", b"de"))
    assert environs[0]["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in environs[0]


def test_each_request_has_its_own_environ(build: SimpleNamespace) -> None:
    seen: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        kept.append(environ)
        environ["fastwsgi.test"] = "left behind"
        del environ["wsgi.input"], environ["REQUEST_METHOD"]
        if len(kept) == 2:
            environ.clear()
        start_response("200 OK", [])
        return [b"ok"]

    with serving(build, app) as server, server.connect() as client:
        for number in range(3):
            assert client.send(request(target=f"/{number}")).answer().status == 200
    assert [one["PATH_INFO"] for one in seen] == ["/0", "/1", "/2"]
    assert all("fastwsgi.test" not in one and "wsgi.input" in one for one in seen)
    assert [one.get("PATH_INFO") for one in kept] == ["/0", None, "/2"]
    assert len({id(one) for one in kept}) == 3


# wsgiref.validate


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The body of the request, in pieces."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (body[at : at + 3] for at in range(0, len(body), 3))


def by_write(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The body of the request, by write()."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    for line in environ["wsgi.input"]:
        write(line)
    return [b""]


def wrapped_file(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The body of the request, as a file."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    read = environ["wsgi.input"].read
    return environ["wsgi.file_wrapper"](io.BytesIO(read(-1)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("app", [echo, by_write, wrapped_file])
@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (GET, b""),
        (GET_1_0, b""),
        (HEAD, b""),
        (request("POST", body=BODY), BODY),
        (request("POST", body=BODY, version="1.0"), BODY),
        (request("PUT", fields=[("Content-Length", "0")]), b""),
        (CHUNKED_POST + chunked(BODY[:5], BODY[5:]), BODY),
        (CHUNKED_POST + chunked(), b""),
    ],
    ids=["get", "get-1.0", "head", "post", "post-1.0", "put-empty", "chunked", "chunked-empty"],
)
def test_wsgiref_validate_has_no_complaint(build: SimpleNamespace, app: Any, sent: bytes, body: bytes) -> None:
    with serving(build, validator(app)) as server:
        answer = server.ask(sent)
        assert (answer.status, answer.body, answer.whole) == (200, body, True), server.log
        assert server.errors == []


# wsgi.input


def read_text(file: Any) -> str:
    text = io.TextIOWrapper(file)
    try:
        return text.read()
    finally:
        text.detach()


READS: list[tuple[str, Any, Any]] = [
    ("read", lambda file: file.read(), BODY),
    ("read-none", lambda file: file.read(-1), BODY),
    ("read-0", lambda file: file.read(0), b""),
    ("read-n", lambda file: [file.read(4), file.read(100), file.read(100)], [BODY[:4], BODY[4:], b""]),
    ("readline", lambda file: [file.readline() for _ in range(5)], [b"one\n", b"two\n", b"\n", b"last", b""]),
    ("readline-n", lambda file: [file.readline(2), file.readline(9)], [b"on", b"e\n"]),
    ("readlines", lambda file: file.readlines(), [b"one\n", b"two\n", b"\n", b"last"]),
    ("readlines-hint", lambda file: file.readlines(2), [b"one\n"]),
    ("iteration", list, [b"one\n", b"two\n", b"\n", b"last"]),
    ("seek", lambda file: [file.read(), file.seek(4), file.tell(), file.read(3)], [BODY, 4, 4, b"two"]),
    ("text", lambda file: read_text(file), BODY.decode()),
]
EMPTY: dict[str, Any] = {
    "read-n": [b"", b"", b""],
    "readline": [b""] * 5,
    "readline-n": [b"", b""],
    "text": "",
    "readlines": [],
    "readlines-hint": [],
    "iteration": [],
}


@pytest.mark.parametrize(("name", "read", "wanted"), READS, ids=[read[0] for read in READS])
@pytest.mark.parametrize(
    "sent",
    [request("POST", body=BODY), CHUNKED_POST + chunked(*(bytes([byte]) for byte in BODY))],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("spool_size", [0, 1024], ids=["file", "memory"])
def test_input_reads_as_a_file(
    build: SimpleNamespace, name: str, read: Any, wanted: Any, sent: bytes, spool_size: int
) -> None:
    got: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        got.append(read(environ["wsgi.input"]))
        start_response("200 OK", [])
        return [b"read"]

    with serving(build, app, spool_size=spool_size) as server, server.connect() as client:
        for _ in range(2):
            assert client.send(sent).answer().status == 200, server.log
    assert got == [wanted, wanted]


@pytest.mark.parametrize(("name", "read", "wanted"), READS, ids=[read[0] for read in READS])
def test_input_of_a_request_without_a_body_is_an_empty_file(
    build: SimpleNamespace, name: str, read: Any, wanted: Any
) -> None:
    got: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        got.append(read(environ["wsgi.input"]))
        environ["wsgi.input"].close()
        start_response("200 OK", [])
        return [b"read"]

    with serving(build, app) as server, server.connect() as client:
        for _ in range(2):
            assert client.send(GET).answer().status == 200, server.log
    if name != "seek":
        assert got == [EMPTY.get(name, b"")] * 2


# wsgi.errors


def test_errors_go_to_the_error_log(build: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        errors = environ["wsgi.errors"]
        errors.write("first ")
        errors.write("line\nsecond\n")
        errors.writelines(["third\n", "fourth"])
        errors.flush()
        print("fifth", file=errors)
        start_response("200 OK", [])
        return [b"complained"]

    with serving(build, app) as server:
        assert server.ask().status == 200, server.log
    assert caplog.messages == ["first line\nsecond\nthird\nfourth", "fifth"]
    assert {record.name for record in caplog.records} == {"fastwsgi.error.wsgi"}


def test_a_line_that_was_begun_is_in_the_log_when_the_request_ends(
    build: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.errors"].write("no newline")
        environ["wsgi.errors"].flush()
        start_response("200 OK", [])
        return []

    with serving(build, app) as server:
        server.ask()
        assert caplog.messages == ["no newline"]


# The body and the call


def test_the_application_is_called_when_the_body_is_whole(build: SimpleNamespace) -> None:
    environs: list[dict[str, Any]] = []
    with serving(build, keep(environs)) as server, server.connect() as client:
        for piece in (CHUNKED_POST, b"3\r\nabc\r\n", b"0\r\n"):
            client.send(piece)
            server.settle()
            assert environs == []
        assert client.send(b"\r\n").answer().status == 200


def test_a_body_that_was_not_read_does_not_reach_the_next_request(build: SimpleNamespace) -> None:
    smuggled = request(target="/smuggled")
    with serving(build, answering(b"ok"), spool_size=16) as server, server.connect() as client:
        client.send(request("POST", body=smuggled) + CHUNKED_POST + chunked(smuggled) + GET)
        assert [client.answer().body for _ in range(3)] == [b"ok"] * 3
        assert not client.is_readable(0.05)
