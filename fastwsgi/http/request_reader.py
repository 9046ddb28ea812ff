"""The reader of the requests of one connection: from what was received it takes a head, then the body.

It keeps no state of the conversation (connection.py does), only how much of an incomplete head was examined, the body
that is being read, and what all environs of the connection have in common.
"""

from __future__ import annotations

from io import BytesIO
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.http.errors import HttpError
from fastwsgi.http.keys import CLIENT_DISCONNECTED, EARLY_HINTS, REMOTE_ADDR, REMOTE_PORT, WSGI_INPUT

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox
    from fastwsgi.http._wire_py import Wire
    from fastwsgi.http.body import Body
    from fastwsgi.http.early_hints import EarlyHints
    from fastwsgi.http.head import HeadParser, Template
    from fastwsgi.http.presence import Presence
    from fastwsgi.http.service import Service

FEW = 64  # bytes of an incomplete head, in which a method must end, behind the empty lines that are skipped


class RequestReader:
    """Reads the requests of one client.

    Attributes:
        parser: holds the facts of the head that was read last.
        client: REMOTE_ADDR of the last request.
        name: of the last request, as other processes see it: see head.py.

    Args:
        parser: the listener's.
        host, port: the client's address, as environ gives it; "" for a unix socket.
        complete: called with each environ, to add what a proxy reports of the client.
        describe: gives what the transport knows of the client, the same for all environs.
    """

    def __init__(
        self,
        parser: HeadParser,
        host: str,
        port: str,
        complete: Callable[[dict[str, Any]], None] | None = None,
        describe: Callable[[], dict[str, str]] | None = None,
    ) -> None:
        self.parser = parser
        self.host = host
        self.port = port
        self.complete = complete
        self.describe = describe
        self.client = host
        self.name = b""
        self.hints: EarlyHints | None = None  # of the last request
        self.template: Template | None = None  # what an environ starts as
        self.holders = 0  # references to *hints* while no application has one
        self.seldom = True  # no request has come since rest()
        self.body: Body | None = None
        self.begin = 0  # where the last head begins in the inbox, in that turn
        self.kept = 0  # bytes of the request that is served, without a body that is read piece by piece
        self.checked = 0  # bytes of an incomplete head whose line ends were checked ...
        self.examined = 0  # ... and that were parsed

    def receive(self, wire: Wire, fd: int, inbox: Inbox, rest: bytes | None) -> int:
        """wire.receive(), but what is sure to belong to the body is received straight to where it stays."""
        room = self.body.target() if self.body is not None and rest is None else None
        return wire.receive(fd, inbox, rest) if room is None else wire.receive_into(fd, inbox, room)

    def read_head(self, inbox: Inbox, presence: Presence) -> bool:
        """Read a head, and put the client into its environ; False if it is not whole. Raises HttpError.

        With more than one request a second, a connection has a template with the client in it: four entries saved each,
        and with TLS, which has four or five more, 1,250 instructions.
        """
        self.begin = inbox.start
        if not self.seldom and (self.template is None or self._count_holders() != self.holders):
            self._renew(presence)
        if not self.parser.parse(inbox, self.template):
            self._examine(inbox)
            return False
        self.kept = inbox.start - self.begin
        self.examined = self.checked = 0
        self.name = self.parser.name
        environ = self.parser.environ
        if self.seldom:
            self._put_client(environ, presence)
            if self.describe is not None:
                environ.update(self.describe())
            self.seldom = False
        if self.complete is not None:
            self.complete(environ)
            self.client = environ[REMOTE_ADDR]
        if self.parser.is_https and environ["wsgi.url_scheme"] != "https":
            raise HttpError(421, "an https URL over an insecure connection")
        return True

    def rest(self) -> None:
        """Keep nothing for the next request, which may be long in coming."""
        self.template = None
        self.seldom = True

    def _put_client(self, environ: dict[str, Any], presence: Presence) -> None:
        """Put in what all requests have in common, but new early hints: those kept from earlier ones do nothing now."""
        if self.hints is not None:
            self.hints.presence = None
        environ[REMOTE_ADDR] = self.host
        environ[REMOTE_PORT] = self.port
        environ[CLIENT_DISCONNECTED] = presence
        environ[EARLY_HINTS] = self.hints = presence.connection.service.early_hints.of(presence)

    def _renew(self, presence: Presence) -> None:
        """Begin a template, or put new early hints into it, as an application has kept the old ones."""
        if self.template is None:
            self.template = self.parser.new_template()
            if self.describe is not None:
                self.template.add(self.describe())
        self._put_client(self.template.environ, presence)
        self.holders = self._count_holders()

    def _count_holders(self) -> int:
        return getrefcount(self.hints)

    def begun(self, inbox: Inbox) -> bytes:
        """All bytes in *inbox* from where the last head begins."""
        return inbox.since(self.begin) + inbox.peek(inbox.available())

    def _examine(self, inbox: Inbox) -> None:
        """Examine an incomplete head each time its size has doubled, so that the total work is linear.

        Of the first few bytes each are, so that a method which is too long is refused at once. The new bytes are
        searched for a bare CR or LF, which may be meant as the end of the head.
        """
        pending = inbox.available()
        if pending >= 2 * self.examined or pending <= FEW or inbox.has_bare_line_end(self.checked):
            self.examined = pending
            self.parser.examine(inbox)
        self.checked = max(0, pending - 1)  # the last byte may be the CR of a CRLF

    def take_body(self, inbox: Inbox, environ: dict[str, Any], service: Service) -> bool:
        """Take a body of known length, if all of it has arrived and it may stay in memory; False if not."""
        length = self.parser.body_length
        if not 0 < length <= service.spool_size or length > inbox.available():
            return False
        if service.full and length > service.holdings.spool_size:  # it has to wait for a thread
            return False
        environ[WSGI_INPUT] = BytesIO(inbox.take(length))
        self.kept += length
        return True

    def begin_body(self, inbox: Inbox, environ: dict[str, Any], service: Service) -> bool:
        """Start to read the body; True if all of it has arrived. Raises HttpError."""
        length = self.parser.body_length
        if length < 0:
            self.body = service.chunked(service.max_body, service.holdings, service.disk)
        else:
            self.body = service.body(length, service.holdings, service.disk)
        return self.read_body(inbox, environ)

    def read_body(self, inbox: Inbox, environ: dict[str, Any]) -> bool:
        """Read more of the body; True when it is whole, and in the environ. Raises HttpError."""
        body = self.body
        assert body is not None
        if not body.feed(inbox):
            return False
        environ[WSGI_INPUT] = body.rewind()
        # Decoded: frameworks that know only CONTENT_LENGTH read it right
        environ["CONTENT_LENGTH"] = str(body.received)
        return True

    def awaits_continue(self) -> bool:
        """Whether the client waits for "100 Continue" before it sends the body that was begun (RFC 9110 10.1.1)."""
        return self.parser.expect_continue and self.body is not None and self.body.received == 0

    def is_paused(self) -> bool:
        """Whether bytes of the body have arrived that another turn will read."""
        return self.body is not None and self.body.paused

    def held(self) -> int:
        """Bytes of the request that are in memory, from the end of its head until drop_request()."""
        return self.kept if self.body is None else self.kept + self.body.kept()

    def spool_body(self) -> bool:
        """Have the body that is being read go on in a temporary file; False if it does. Raises SpoolError."""
        if self.body is None or self.body.kept() == 0:
            return False
        self.body.go_to_disk()
        return True

    def drop_request(self) -> None:
        """Discard the request, with its body if there is one."""
        self.kept = 0
        if self.body is not None:
            self.body.discard()
            self.body = None
