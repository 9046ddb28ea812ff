"""The applications that the cases of http_cases/*.http name."""

from __future__ import annotations

from typing import Any, Callable


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


def reset_content(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """205, and a body that must not go out, in pieces where a query asks for it."""
    start_response("205 Reset Content", [])
    return iter([b"", b"ignored"]) if environ["QUERY_STRING"] else [b"ignored"]


def reset_announced(environ: dict[str, Any], body: bytes, start_response: Any) -> Any:
    """205 with the length of a body that must not go out."""
    write = start_response("205 Reset Content", [("Content-Length", "7")])
    write(b"ignored")
    return []


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


ALL = (echo, stream, closing, no_content, reset_content, reset_announced, not_modified, short, long, failing, late)
APPS = {one.__name__: one for one in ALL}
