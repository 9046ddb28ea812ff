"""A listener: its socket, and what all connections accepted there have in common."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable

from fastwsgi.http.file_wrapper import FileWrapper
from fastwsgi.http.forwarded import Forwarding
from fastwsgi.http.grammar import HeadLimits
from fastwsgi.http.keys import CLIENT_DISCONNECTED, EARLY_HINTS, WSGI_INPUT
from fastwsgi.http.peers import Trusted
from fastwsgi.originals import os, socket
from fastwsgi.server.preamble import PLAIN, Preamble
from fastwsgi.server.request_start import RequestStarts
from fastwsgi.version import SOFTWARE

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from fastwsgi.http._wire_py import Wire
    from fastwsgi.http.body import EmptyInput
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.framing import Framing
    from fastwsgi.http.head import HeadParser
    from fastwsgi.http.interfaces import ErrorStream
    from fastwsgi.http.pace import Pace
    from fastwsgi.http.proxy_protocol import Header
    from fastwsgi.http.request_reader import RequestReader
    from fastwsgi.server.interfaces import Served
    from fastwsgi.server.loop import Loop
    from fastwsgi.settings.settings import Settings
    from fastwsgi.tls._transfer_py import Transfer
    from fastwsgi.tls.contexts import Tls

    Completer = Callable[[WSGIEnvironment], None]
    Describer = Callable[[], dict[str, str]]


class Listener:
    """A listening socket, and what the connections accepted from it share.

    Args:
        loop: serves them.
        own: the listening socket.
        environ: added to the environ of each request.
        tls: None where TLS is not spoken.
    """

    def __init__(self, loop: Loop, own: socket.socket, environ: WSGIEnvironment, tls: Tls | None = None) -> None:
        self.loop = loop
        self.socket = own
        self.tls = tls
        self.transfer: Transfer = loop.build.transfer.Transfer(loop.meter)
        template = environ_template(own, loop.settings, loop.errors, loop.build.body.EmptyInput())
        template.update(environ)
        if tls is not None:
            template.update(tls.ENVIRON)
        self.parser = head_parser(loop.build, template, loop.service.framing, loop.settings)
        self._make_pace: type[Pace] = loop.build.pace.Pace
        self._make_reader: type[RequestReader] = loop.build.request_reader.RequestReader
        self._make_connection: type[Connection] = loop.build.connection.Connection
        self._set_up_proxies(loop.settings)

    def _set_up_proxies(self, settings: Settings) -> None:
        announced = settings.proxy_protocol != "off"
        drops = settings.forwarded_untrusted == "drop"
        believes = settings.forwarded_allow_ips or announced or drops
        self.forwarding = Forwarding(settings, RequestStarts(self.loop.meter).note) if believes else None
        self.takes_plain = settings.proxy_protocol != "required"
        self._announcers = Trusted(settings.proxy_allow_ips) if announced else None
        self._is_plain = not believes and self.tls is None  # nothing is added to what the socket tells of the client

    def open(self, fd: int, host: str, port: str) -> Served:
        """The server of the accepted socket *fd*, now in the loop's table: its Connection, or first a Preamble."""
        pace = self._make_pace(self.loop.service)
        if self._is_plain:
            return self._serve(fd, self._make_reader(self.parser, host, port), self.loop.wire, pace)
        if self._announcers is None or (self.takes_plain and host not in self._announcers):
            return self.connect(fd, host, port, PLAIN, pace)
        preamble = self.loop.connections[fd] = Preamble(self, pace, fd, host, port)
        return preamble

    def announces(self, host: str) -> bool:
        """Whether a PROXY header of the peer *host* is believed."""
        return self._announcers is not None and host in self._announcers

    def connect(self, fd: int, host: str, port: str, header: Header, pace: Pace) -> Connection:
        """The Connection of *fd*, now in the loop's table.

        Args:
            host, port: the peer's.
            header: the PROXY header that it sent, or PLAIN.
            pace: the account of the client.
        """
        loop = self.loop
        wire = loop.wire
        describe: Describer | None = None
        completers: list[Completer] = []
        if self.tls is not None:
            refused = partial(loop.report_refusal, host)
            wire = loop.build.tls_wire.TlsWire(
                loop.wire, self.transfer, self.tls, loop.build.client_hello.server_name, refused
            )
            describe = wire.describe
        if header.host is not None:
            completers.append(partial(header.describe, host))
            host, port = header.host, header.port
        if self.forwarding is not None:
            completers.append(self.forwarding.describer(host))
        return self._serve(fd, self._make_reader(self.parser, host, port, in_turn(completers), describe), wire, pace)

    def _serve(self, fd: int, reader: RequestReader, wire: Wire, pace: Pace) -> Connection:
        connection = self.loop.connections[fd] = self._make_connection(self.loop.service, reader, wire, pace, fd)
        return connection


def in_turn(completers: list[Completer]) -> Completer | None:
    """A function that calls all of *completers*; None if there are none."""
    if len(completers) < 2:
        return completers[0] if completers else None

    def complete(environ: WSGIEnvironment) -> None:
        for completer in completers:
            completer(environ)

    return complete


def environ_template(
    own: socket.socket, settings: Settings, errors: ErrorStream, no_body: EmptyInput
) -> WSGIEnvironment:
    """What every environ of one listener starts as (PEP 3333, "environ Variables"); *no_body* is the input of most.

    It has each key that every request has, even those set later, so that its copy has room for the fields.
    """
    name = own.getsockname()
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
        "SERVER_SOFTWARE": SOFTWARE,
        "REMOTE_ADDR": "",
        "REMOTE_PORT": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        WSGI_INPUT: no_body,
        "wsgi.input_terminated": True,
        "wsgi.errors": errors,
        "wsgi.multithread": settings.threads > 1 or settings.loops > 1,
        "wsgi.multiprocess": settings.workers > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        EARLY_HINTS: None,
        CLIENT_DISCONNECTED: None,
    }


def head_parser(build: SimpleNamespace, template: WSGIEnvironment, framing: Framing, settings: Settings) -> HeadParser:
    """The parser of request heads of a listener.

    Args:
        build: the modules to run, from fastwsgi.backend.
        template: what every environ starts as.
        framing: the rules for the length of bodies.
        settings: limits, root_path, underscore_headers and scanner are read.
    """
    limits = HeadLimits(
        settings.limit_request_line,
        settings.limit_request_fields,
        settings.limit_request_field_size,
        settings.limit_request_head,
    )
    scanner = None
    if build.scanner is not None and settings.scanner:
        scanner = build.scanner.Scanner(limits, framing.max_body)
    parser: HeadParser = build.head.HeadParser(
        template, limits, framing, scanner, settings.root_path, settings.underscore_headers
    )
    return parser
