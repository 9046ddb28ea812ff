"""pre_request and post_request: the hooks around each request, and their view of request and response.

They run in a WSGI middleware. What pre_request adds to the request's headers, and the scheme that it sets, reach the
application; if it raises, the client gets a 500, and the application no request. post_request is called at the end of
the response, as the server closes it. A list or a file is passed on unwrapped, so that the server knows its length or
sends it by sendfile: for these, post_request is called first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from fastwsgi.process.hook_views import WorkerView


class Request:
    """A request as pre_request and post_request see it.

    Attributes:
        method, path, query, uri: from the request line, as they were sent; uri is the target, path its path.
        headers: (NAME, value) pairs, names in upper case.
        version: (1, 1) or (1, 0).
        scheme: "http" or "https".
        remote_addr: the client's, as (host, port); peer_addr is the same.
    """

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.method = environ["REQUEST_METHOD"]
        self.query = environ.get("QUERY_STRING", "")
        self.fragment = ""
        self.uri = environ["RAW_URI"]
        self.path = _path(self.uri.partition("?")[0])
        self.headers = [(_header_name(key), value) for key, value in environ.items() if _is_header(key)]
        major, _, minor = environ.get("SERVER_PROTOCOL", "HTTP/1.1").partition("/")[2].partition(".")
        self.version = (int(major), int(minor or 0))
        self.scheme = environ.get("wsgi.url_scheme", "http")
        self.remote_addr = (environ.get("REMOTE_ADDR", ""), int(environ.get("REMOTE_PORT") or 0))
        self.peer_addr = self.remote_addr
        self.body = environ.get("wsgi.input")


def _path(target: str) -> str:
    """The path of a target in origin form, or in absolute form (RFC 9112 3.2.2)."""
    if target.startswith("/") or "://" not in target:
        return target
    _, slash, path = target.partition("://")[2].partition("/")
    return slash + path


def _is_header(key: str) -> bool:
    return key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH")


def _header_name(key: str) -> str:
    return (key[5:] if key.startswith("HTTP_") else key).replace("_", "-")


def _environ_key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _by_key(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers as environ has them: several of a name are joined by commas (RFC 9110 5.3)."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = _environ_key(str(name))
        found[key] = f"{found[key]},{value}" if key in found else str(value)
    return found


class Response:
    """A response as post_request sees it.

    Attributes:
        status, status_code: "200 OK" and 200; None and 0 if there was none.
        headers: (name, value) pairs.
        sent: bytes of the body.
    """

    def __init__(self) -> None:
        self.status: str | None = None
        self.status_code = 0
        self.headers: list[tuple[str, str]] = []
        self.sent = 0
        self.response_length: int | None = None

    def begin(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Note the arguments of start_response."""
        self.status, self.headers = status, headers
        self.status_code = int(status[:3]) if status[:3].isdigit() else 0
        lengths = [value for name, value in headers if name.lower() == "content-length" and value.isdigit()]
        self.response_length = int(lengths[0]) if lengths else None

    def watch(self, start_response: StartResponse) -> StartResponse:
        """A start_response that notes its arguments, and what write() sends."""

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
        ) -> Callable[[bytes], object]:
            write = start_response(status, headers, exc_info) if exc_info else start_response(status, headers)
            self.begin(status, headers)

            def counting(data: bytes) -> None:
                self.sent += len(data)
                write(data)

            return counting

        return start


class RequestHooks:
    """An application with hooks around each request.

    Args:
        app: the application.
        worker: the view that the hooks get.
        before, after: called with it and the request, the second with environ and response, too; None: there is none.
    """

    def __init__(
        self,
        app: WSGIApplication,
        worker: WorkerView,
        before: Callable[..., Any] | None,
        after: Callable[..., None] | None,
    ) -> None:
        self.app = app
        self.worker = worker
        self.before = before
        self.after = after

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        after = self.after
        if after is None:
            self._prepare(request, environ)
            return self.app(environ, start_response)
        response = Response()

        def done() -> None:
            after(self.worker, request, environ, response)

        try:
            self._prepare(request, environ)
            result = self.app(environ, response.watch(start_response))
        except BaseException:
            done()
            raise
        return self._watch_end(result, response, done, environ)

    def _watch_end(
        self, result: Iterable[bytes], response: Response, done: Callable[[], None], environ: WSGIEnvironment
    ) -> Iterable[bytes]:
        """The application's iterable, so that *done* is called at its end."""
        is_sequence = type(result) in (list, tuple)
        if is_sequence or type(result) is environ.get("wsgi.file_wrapper"):
            response.sent = sum(map(len, result)) if is_sequence else response.response_length or 0
            done()
            return result
        return Body(result, response, done)

    def _prepare(self, request: Request, environ: WSGIEnvironment) -> None:
        """Call pre_request and pass on what it changed."""
        if self.before is None:
            return
        known = _by_key(request.headers)
        self.before(self.worker, request)
        wanted = _by_key(request.headers)
        for key in known.keys() - wanted.keys():
            del environ[key]
        environ.update({key: value for key, value in wanted.items() if known.get(key) != value})
        environ["wsgi.url_scheme"] = request.scheme


class Body:
    """The application's iterable, counted, with *done* to call when it is closed."""

    def __init__(self, result: Iterable[bytes], response: Response, done: Callable[[], None]) -> None:
        self.result = result
        self.response = response
        self.done = done

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.result:
            self.response.sent += len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the application's iterable, then call the hook."""
        try:
            if hasattr(self.result, "close"):
                self.result.close()
        finally:
            self.done()
