"""An entrance: one listener, and what all connections that come in there have in common."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import Any

from fastwsgi.http.grammar import HeadLimits


class Entrance:
    """Where connections come in.

    Args:
        loop: the loop.Loop that serves them.
        listener: the listening socket.
        environ: comes into every environ.
    """

    def __init__(self, loop: Any, listener: socket.socket, environ: dict[str, Any]) -> None:
        self.loop = loop
        self.listener = listener
        template = environ_template(listener, loop.settings, loop.errors, loop.build.wsgi.FileWrapper)
        template.update(environ)
        self.parser = head_parser(loop.build, template, loop.framing, loop.settings)

    def open(self, fd: int, host: str, port: str) -> Any:
        """The Connection of the accepted socket *fd*, known to the loop."""
        loop = self.loop
        connection = loop.build.connection.Connection(loop.shared, self.parser, loop.wire, fd, host, port)
        loop.connections[fd] = connection
        return connection


def environ_template(listener: socket.socket, settings: Any, errors: Any, file_wrapper: Any) -> dict[str, Any]:
    """What every environ of one listener starts as (PEP 3333, "environ Variables").

    It holds each key that every request has, also those set later: then the copy has room for the fields.
    """
    name = listener.getsockname()
    host, port = (name[0], str(name[1])) if isinstance(name, tuple) else (os.fsdecode(name).replace("\0", "@", 1), "")
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": settings.root_path,
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "RAW_URI": "",
        "REQUEST_URI": "",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "fastwsgi",
        "REMOTE_ADDR": "",
        "REMOTE_PORT": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": None,
        "wsgi.input_terminated": True,
        "wsgi.errors": errors,
        "wsgi.multithread": settings.threads > 1,
        "wsgi.multiprocess": settings.workers > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": file_wrapper,
        "wsgi.early_hints": None,
    }


def head_parser(build: SimpleNamespace, template: dict[str, Any], framing: Any, settings: Any) -> Any:
    """The head.HeadParser of a listener.

    Args:
        build: the modules to run, from http.backend.
        template: what every environ starts as.
        framing: the rules of body length, a framing.Framing.
        settings: limits, root_path, underscore_headers and scanner are read.
    """
    limits = HeadLimits(
        settings.limit_request_line,
        settings.limit_request_fields,
        settings.limit_request_field_size,
        settings.limit_request_head,
    )
    scanner = None
    if build.environ.Scanner is not None and settings.scanner:
        scanner = build.environ.Scanner(template, limits, framing.max_body)
    return build.head.HeadParser(template, limits, framing, scanner, settings.root_path, settings.underscore_headers)
