"""A small WSGI application to look at: `fastwsgi fastwsgi.demo:app`.

Its page shows the request's environ and which build of fastwsgi runs; its links show what a WSGI server does beyond a
page: bodies in both directions, streams, big downloads, files, errors. It is plain PEP 3333 and runs on any WSGI
server. Every path is served by one function below, itself a WSGI application.
"""

from __future__ import annotations

import html
import itertools
import json
import platform
from collections.abc import Iterable, Iterator
from string import Template
from typing import TYPE_CHECKING, Callable
from wsgiref.util import FileWrapper

from fastwsgi import backend
from fastwsgi.originals import os

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

BLOCK = 62_500
BLOCKS = 1600  # 100 MB in all
LINES = 20


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request; HEAD gets the answer to GET without the body (RFC 9110 9.3.2)."""
    result = answer(environ, start_response)
    if environ["REQUEST_METHOD"] != "HEAD":
        return result
    if hasattr(result, "close"):
        result.close()
    return []


def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Call the function for the path, if the method is allowed."""
    view, methods = ROUTES.get(environ.get("PATH_INFO") or "/", (not_found, ANY))
    method, allow = environ["REQUEST_METHOD"], ("Allow", ", ".join(methods))
    if method not in methods:
        return text(start_response, "405 Method Not Allowed", [allow])
    if method == "OPTIONS":
        start_response("204 No Content", [allow])
        return []
    return view(environ, start_response)


def text(start_response: StartResponse, status: str, headers: list[tuple[str, str]]) -> list[bytes]:
    """Answer with the status itself as plain text."""
    body = f"{status}\n".encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers])
    return [body]


def not_found(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a path that is not in ROUTES."""
    return text(start_response, "404 Not Found", [])


def index(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Send the page: what runs here, the links, a form, and this request's environ."""
    rows = [f"<tr><th>{escape(key)}<td>{escape(environ[key])}" for key in sorted(environ)]
    page = PAGE.substitute(
        root=escape(environ.get("SCRIPT_NAME", "")),
        server=escape(environ.get("SERVER_SOFTWARE", "unknown")),
        build=escape(backend.build_title()),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        environ="\n".join(rows),
    )
    body = page.encode()
    start_response(
        "200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
    )
    return [body]


def escape(value: object) -> str:
    """A value as text that is safe in HTML. WSGI strings hold bytes as latin-1; they are shown as UTF-8."""
    shown = (
        value.encode("latin-1", "replace").decode("utf-8", "replace")
        if isinstance(value, str)
        else repr(value)
    )
    return html.escape(shown)


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Send the request's body back, as plain text and piece by piece.

    Where there is no length (a chunked request on some servers), but the input ends with the body, the answer has no
    length, either.
    """
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
    if environ.get("CONTENT_LENGTH") or not environ.get("wsgi.input_terminated"):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        headers.append(("Content-Length", str(length)))
    else:
        length = -1
    start_response("200 OK", headers)
    return pieces(environ["wsgi.input"], length)


def pieces(stream: InputStream, length: int) -> Iterator[bytes]:
    """*length* bytes of *stream* in blocks; all of them if it is negative."""
    while length:
        block = stream.read(min(BLOCK, length) if length > 0 else BLOCK)
        if not block:
            break
        length -= len(block) if length > 0 else 0
        yield block


def stream(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Send lines, each of which is on the wire before the next is made; their total length is unknown."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (f"line {number} of {LINES}\n".encode() for number in range(1, LINES + 1))


def big(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Send 100 MB that never exist as a whole."""
    headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(BLOCK * BLOCKS))]
    start_response("200 OK", [*headers, ("Content-Disposition", 'attachment; filename="big.bin"')])
    return itertools.repeat(bytes(BLOCK), BLOCKS)


def file(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Send this source file by `wsgi.file_wrapper`, which lets the server use sendfile.

    The server closes the wrapper, and the wrapper closes the file.
    """
    length = os.path.getsize(__file__)
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(length))])
    wrapper: Callable[..., Iterable[bytes]] = environ.get("wsgi.file_wrapper", FileWrapper)
    return wrapper(open(__file__, "rb"), BLOCK)


def headers(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Send the request's header fields as JSON."""
    fields = {
        key[5:].replace("_", "-").title(): value for key, value in environ.items() if key.startswith("HTTP_")
    }
    body = json.dumps(fields, indent=2).encode() + b"\n"
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def error(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Fail: the client gets a 500, the traceback goes to the server's log."""
    raise RuntimeError("the demo's /error raises this to show a 500")


READ = ("GET", "HEAD", "OPTIONS")
ANY = (*READ, "POST", "PUT", "PATCH", "DELETE")

ROUTES: dict[str, tuple[WSGIApplication, tuple[str, ...]]] = {
    "/": (index, READ),
    "/echo": (echo, ("POST", "PUT", "OPTIONS")),
    "/stream": (stream, READ),
    "/big": (big, READ),
    "/file": (file, READ),
    "/headers": (headers, READ),
    "/error": (error, READ),
}

PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fastwsgi</title>
<style>
  :root { color-scheme: light dark; --edge: #8884; --link: light-dark(#0a58ca, #7db4ff); }
  body { max-width: 52rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
  h1 { margin-bottom: 0; letter-spacing: -0.03em; }
  h1 + p { margin-top: 0.2rem; opacity: 0.75; }
  a { color: var(--link); }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1.2rem; }
  dd { margin: 0; }
  textarea { box-sizing: border-box; width: 100%; padding: 0.5rem; font: inherit; }
  textarea, button, table { border: 1px solid var(--edge); border-radius: 0.4rem; }
  button { margin-top: 0.4rem; padding: 0.3rem 1rem; font: inherit; cursor: pointer; }
  table { width: 100%; border-spacing: 0; font: 0.85rem/1.5 ui-monospace, monospace; }
  th, td { padding: 0.2rem 0.7rem; text-align: left; vertical-align: top; }
  td { width: 100%; overflow-wrap: anywhere; }
  th { font-weight: 600; }
  tr + tr > * { border-top: 1px solid var(--edge); }
</style>
<h1>It works.</h1>
<p>$server, the $build build, on $python</p>
<h2>Try</h2>
<dl>
  <dt><a href="$root/headers">/headers</a><dd>the request's header fields, as JSON
  <dt><a href="$root/stream">/stream</a><dd>a response made line by line
  <dt><a href="$root/big">/big</a><dd>100 MB, generated while they are sent
  <dt><a href="$root/file">/file</a><dd>the source of this application, by <code>wsgi.file_wrapper</code>
  <dt><a href="$root/error">/error</a><dd>an application that raises
</dl>
<form method="post" action="$root/echo" enctype="text/plain">
  <textarea name="text" rows="3">Post this to /echo, and it comes back.</textarea>
  <button>Send</button>
</form>
<h2>The environ of this request</h2>
<table>
$environ
</table>
</html>
""")
