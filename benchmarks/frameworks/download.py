"""No framework: a file of 1 MiB, by wsgi.file_wrapper where the server has one, as PEP 3333 shows it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

from apps import BODY_1M, KIB, Environ, StartResponse

BLOCK = 64 * KIB
FILE = tempfile.NamedTemporaryFile()
FILE.write(BODY_1M)
FILE.flush()


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(BODY_1M)))])
    file = open(FILE.name, "rb")
    if "wsgi.file_wrapper" in environ:
        return environ["wsgi.file_wrapper"](file, BLOCK)
    return iter(lambda: file.read(BLOCK), b"")
