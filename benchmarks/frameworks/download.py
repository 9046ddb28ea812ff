"""No framework: a file of 1 MiB, by wsgi.file_wrapper."""

from __future__ import annotations

import tempfile

from apps import BODY_1M, Environ, StartResponse

FILE = tempfile.NamedTemporaryFile()
FILE.write(BODY_1M)
FILE.flush()


def app(environ: Environ, start_response: StartResponse) -> object:
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(BODY_1M)))])
    return environ["wsgi.file_wrapper"](open(FILE.name, "rb"))
