"""An entrance: one listener, and what all connections that come in there have in common."""

from __future__ import annotations

import os
import socket
from functools import partial
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi.http.forwarded import Forwarding
from fastwsgi.http.grammar import HeadLimits
from fastwsgi.http.peers import Trusted
from fastwsgi.server.preamble import PLAIN, Preamble

Describer = Callable[[dict[str, Any]], None]


class Entrance:
    """Where connections come in.

    Args:
        loop: the loop.Loop that serves them.
        listener: the listening socket.
        environ: comes into every environ.
        tls: the tls.Tls of a listener of TLS, or None.
    """

    def __init__(self, loop: Any, listener: socket.socket, environ: dict[str, Any], tls: Any = None) -> None:
        self.loop = loop
        self.listener = listener
        self.tls = tls
        self.transfer = loop.build.transfer.Transfer()
        template = environ_template(listener, loop.settings, loop.errors, loop.build.wsgi.FileWrapper)
        template.update(environ)
        if tls is not None:
            template.update(tls.ENVIRON)
        self.parser = head_parser(loop.build, template, loop.framing, loop.settings)
        self._set_up_proxies(loop.settings)

    def _set_up_proxies(self, settings: Any) -> None:
        announced = settings.proxy_protocol != "off"
        drops = settings.forwarded_untrusted == "drop"
        self.forwarding = Forwarding(settings) if settings.forwarded_allow_ips or announced or drops else None
        self.takes_plain = settings.proxy_protocol != "required"
        self._announcers = Trusted(settings.proxy_allow_ips) if announced else None

    def open(self, fd: int, host: str, port: str) -> Any:
        """What serves the accepted socket *fd*, known to the loop: its Connection, or first a Preamble."""
        if self._announcers is None or (self.takes_plain and host not in self._announcers):
            return self.connect(fd, host, port, PLAIN)
        preamble = self.loop.connections[fd] = Preamble(self, fd, host, port)
        return preamble

    def announces(self, host: str) -> bool:
        """Whether a PROXY header of the peer *host* is believed."""
        return self._announcers is not None and host in self._announcers

    def connect(self, fd: int, host: str, port: str, header: Any) -> Any:
        """The Connection of *fd*, known to the loop.

        Args:
            host, port: of the peer.
            header: the proxy_protocol.Header that it sent first, or PLAIN.
        """
        loop = self.loop
        wire = loop.wire
        describers: list[Describer] = []
        if self.tls is not None:
            refused = partial(loop.connection_refused, host)
            wire = loop.build.tls_wire.TlsWire(loop.wire, self.transfer, self.tls, refused)
            describers.append(wire.describe)
        if header.host is not None:
            describers.append(partial(header.describe, host))
            host, port = header.host, header.port
        if self.forwarding is not None:
            describers.append(self.forwarding.describer(host))
        connection = loop.build.connection.Connection(loop.shared, self.parser, wire, fd, host, port)
        connection.describe = in_turn(describers)
        loop.connections[fd] = connection
        return connection


def in_turn(describers: list[Describer]) -> Describer | None:
    """One function that calls all of them; None if there are none."""
    if len(describers) < 2:
        return describers[0] if describers else None

    def describe(environ: dict[str, Any]) -> None:
        for describer in describers:
            describer(environ)

    return describe


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
        build: the modules to run, from fastwsgi.backend.
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
    if build.inbox.Scanner is not None and settings.scanner:
        scanner = build.inbox.Scanner(template, limits, framing.max_body)
    return build.head.HeadParser(template, limits, framing, scanner, settings.root_path, settings.underscore_headers)
