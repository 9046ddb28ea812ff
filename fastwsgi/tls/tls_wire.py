"""TLS over a non-blocking socket: its stages, its bounds, and the order in which bytes are moved.

    stage      means                                        leads to
    NEW        nothing has arrived                          HELLO
    HELLO      the ClientHello is incomplete                OPENING, or PLAIN if it is plain HTTP instead
    OPENING    the handshake is under way                   OPEN
    OPEN       requests and responses are exchanged
    PLAIN      the client speaks plain HTTP, and is answered in plain text that TLS is spoken here
    OVER       nothing more is sent, and what arrives is dropped; every stage can end here

Ciphertext is moved between the socket and a TLS object in memory, the engine, so OpenSSL never touches the socket.
The bytes are moved by a Transfer (_transfer_py.py and its twin in C), and all decisions are here. So are all bounds:
what one call decrypts fits into the inbox, with nothing left in the engine, since the poller watches the socket alone;
and no more ciphertext waits for the socket than one send() makes of CHUNK bytes. The out-buffer keeps what was
encrypted until the socket has taken all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.http.transport import LOST, MUST_WRITE, NOT_TLS, REFUSED, WOULD_BLOCK
from fastwsgi.tls.client_hello import is_http, is_record

if TYPE_CHECKING:
    import ssl

    from fastwsgi.http._inbox_py import Inbox, Room
    from fastwsgi.http._outbox_py import OutBuffer
    from fastwsgi.http._wire_py import Wire
    from fastwsgi.tls._transfer_py import Transfer
    from fastwsgi.tls.contexts import Tls

READ_SIZE = 32826  # bytes asked for at once: two full records
RECORD = 18437  # bytes; the longest record (RFC 5246 6.2.3), and the most that the engine holds undecrypted
CHUNK = 65536  # bytes decrypted by one call, and bytes encrypted before the socket must have taken them
UNANSWERED = 64  # receives in a row without a send(), after which the engine's own messages must be sent
BARREN = 2 * RECORD  # bytes without plaintext, after which a client is cut off: endless key updates
HANDSHAKE = 262144  # the most bytes of a client's handshake, with its chain of certificates
WEIGHT_OPENING = 49152  # bytes: growth of PSS for each of 400 clients of OpenSSL 3 that stop in the handshake ...
WEIGHT_OPEN = 20480  # ... or are idle after it
WANT_READ = 2  # SSLError.errno

# Stages, in their order
NEW = 0
HELLO = 1
OPENING = 2
OPEN = 3
PLAIN = 4
OVER = 5


class Engine:
    """OpenSSL's half of one connection, in memory.

    Python's SSLObject passes all calls on to an object in C, which is called directly where it is accessible.

    Args:
        tls_object: encrypts and decrypts.
        incoming: takes the ciphertext from the client.
        outgoing: holds the ciphertext for the client.
    """

    def __init__(self, tls_object: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        direct: Any = getattr(tls_object, "_sslobj", tls_object)  # its class has no public name
        self.direct = direct
        self.tls_object = tls_object  # else the callbacks of a user's context, which are given it, fail the handshake
        self.incoming = incoming
        self.outgoing = outgoing
        self.handshake: Callable[[], None] = direct.do_handshake
        self.read: Callable[[int, memoryview], int] = direct.read
        self.write: Callable[[bytes | bytearray | memoryview], int] = direct.write
        self.most_in = self.most_out = 0  # the most ciphertext that was held at a time; its memory is kept
        self.feed: Callable[[bytes | memoryview], int] = incoming.write
        self.fetch: Callable[[], bytes] = outgoing.read
        self.end: Callable[[], object] = getattr(direct, "shutdown", tls_object.unwrap)


class TlsWire:
    """The server's side of one TLS connection. It has the methods of a Wire (http/_wire_py.py), which the .pxd
    names as its base, since this text serves both builds and cannot import it from one of them.

    Args:
        plain: the transport of the loop, for what is not sent in TLS.
        transfer: the loop's, which moves the bytes.
        tls: shared by the connections of the listener; makes the engine.
        server_name: that of client_hello.py, interpreted or compiled.
        refused: called with the reason when the connection ends before its handshake does.
    """

    def __init__(
        self,
        plain: Wire,
        transfer: Transfer,
        tls: Tls,
        server_name: Callable[[bytes], str | None],
        refused: Callable[[str], None],
    ) -> None:
        self.can_send_files = False
        self.last = False
        self.plain = plain
        self.transfer = transfer
        self.tls = tls
        self.server_name = server_name
        self.refused = refused
        self._enter(NEW)
        self.hello = b""  # received, but not given to the engine yet
        self.host = ""  # the one that the client asks for
        self.engine: Engine | None = None  # in the stages OPENING and OPEN
        self.held = b""  # ciphertext for the socket ...
        self.held_at = 0  # ... and the bytes of it that are sent
        self.covered = 0  # bytes of the out-buffer that it contains
        self.owing = False  # the socket must take ciphertext before more is received
        self.unanswered = 0  # receives since the last send() of anything
        self.barren = 0  # bytes received since the last plaintext
        self.ended = False  # the client has sent close_notify
        self.ending = False  # close_notify has been made
        self.facts: dict[str, str] | None = None

    def _enter(self, stage: int) -> None:
        self.stage = stage
        self.cannot_answer = stage not in (OPEN, PLAIN)
        self.handshaking = stage in (HELLO, OPENING)

    # Receiving

    def receive(self, fd: int, inbox: Inbox, rest: bytes | None) -> int:
        """Begin *inbox* anew with *rest* and what has arrived: bytes read, 0 at the end, or a word of transport.py."""
        inbox.start = inbox.end = 0
        if rest is not None:
            inbox.fill(rest)
        engine = self.engine
        if self.owing and engine is not None:
            count = self._push(engine, fd)
            if count < 0:
                return count
        if self.ended:
            return 0
        # The ciphertext is where the plaintext will be: the engine takes all of the one before it gives the other
        count = self.transfer.read(fd, inbox, READ_SIZE)
        if count == WOULD_BLOCK:
            return WOULD_BLOCK
        if count < 0:
            return self._lose("the connection was lost")
        if count == 0:
            return 0 if self.stage >= OPEN else self._lose("the client has closed the connection")
        if engine is not None:
            return self._decrypt(engine, fd, inbox, self.transfer.arrived(inbox, count))
        if self.stage <= HELLO:
            return self._greet(fd, inbox, self.transfer.arrived(inbox, count))
        return count

    def receive_into(self, fd: int, inbox: Inbox, room: Room) -> int:
        """As receive(): what is decrypted goes to the inbox."""
        return self.receive(fd, inbox, None)

    def _greet(self, fd: int, inbox: Inbox, data: bytes | memoryview) -> int:
        """Read the first bytes, and make the engine as soon as they show for which host."""
        self._enter(HELLO)
        self.hello += data
        if not is_record(self.hello):
            if not is_http(self.hello):
                return self._lose("not TLS")
            self._enter(PLAIN)
            return NOT_TLS
        host = self.server_name(self.hello)
        if host is None:
            return WOULD_BLOCK
        self.host = host
        self.engine = Engine(*self.tls.wrap(host))
        self._enter(OPENING)
        hello, self.hello = self.hello, b""
        return self._decrypt(self.engine, fd, inbox, hello)

    def _decrypt(self, engine: Engine, fd: int, inbox: Inbox, data: bytes | memoryview) -> int:
        """Put the plaintext of *data* into *inbox*; the result is receive()'s."""
        before = inbox.end
        handshaking = self.handshaking
        engine.feed(data)
        engine.most_in = max(engine.most_in, len(data))
        try:
            if handshaking:
                engine.handshake()
                self._enter(OPEN)
            if not handshaking or engine.incoming.pending:
                self._read(engine, inbox)
        except OSError as error:
            if error.errno != WANT_READ:
                return self._fail(engine, fd, error)
        if inbox.end == before:
            return self._go_on(engine, fd, len(data), handshaking)
        self.barren = 0
        self.unanswered += 1
        if self.unanswered == UNANSWERED:
            self.unanswered = 0
            self.owing = engine.outgoing.pending > 0
        return inbox.end - before

    def _read(self, engine: Engine, inbox: Inbox) -> None:
        """Decrypt all records that are whole."""
        while True:
            count = engine.read(CHUNK, self.transfer.room(inbox, CHUNK))
            if count == 0:
                self.ended = True
                return
            inbox.end += count
            if not engine.incoming.pending:
                return

    def _go_on(self, engine: Engine, fd: int, size: int, handshaking: bool) -> int:
        """Handle *size* bytes without plaintext: send the engine's answer to them, and wait for more."""
        self.barren += size
        if self.barren > (BARREN if self.stage == OPEN else HANDSHAKE):
            return self._lose("too much is said to no end")
        word = self._push(engine, fd)
        return word if word < 0 else 0 if self.ended else WOULD_BLOCK

    # Failing

    def _fail(self, engine: Engine, fd: int, error: OSError) -> int:
        """End the wire after input that is not TLS, or not acceptable; the engine has an alert for it."""
        handshaking = self.handshaking
        self._push(engine, fd)
        self._lose(str(getattr(error, "reason", None) or "not understood").replace("_", " ").lower())
        return REFUSED if handshaking else LOST

    def _lose(self, reason: str) -> int:
        """End the wire, and report why if that is before the end of its handshake; LOST."""
        if self.handshaking:  # otherwise nothing was sent: a health check, for example
            self.refused(f"TLS: {reason}")
        self._retire()
        return LOST

    def _retire(self) -> None:
        self._enter(OVER)
        self.owing = False
        self.engine = None
        self.held = self.hello = b""

    # Sending

    def send(self, fd: int, out: OutBuffer) -> int:
        """Send what *out* holds: bytes left (0 when it is empty), or LOST."""
        if self.stage == PLAIN:
            return self.plain.send(fd, out)
        engine = self.engine
        if engine is None or self.stage != OPEN:
            return LOST
        while True:
            if self.owing:
                word = self._push(engine, fd)
                if word < 0:
                    return out.size if word == MUST_WRITE else LOST
                if self.covered:
                    out.sent(self.covered)
                    self.covered = 0
            if out.size == 0:
                return 0
            if not self._encrypt(engine, out):
                return LOST

    def _encrypt(self, engine: Engine, out: OutBuffer) -> bool:
        """Encrypt up to CHUNK bytes of *out*, and close_notify after the last; False if that is impossible."""
        self.owing = True
        self.unanswered = 0
        size = min(out.size, CHUNK)
        try:
            while self.covered < size:
                count = engine.write(self.transfer.stretch(out, self.covered, size - self.covered))
                if count == 0:  # no progress, and there would be none
                    return False
                self.covered += count
        except OSError:
            return False
        if self.last and self.covered == out.size:
            self._end(engine)
        return True

    def _push(self, engine: Engine, fd: int) -> int:
        """Send what the engine has for the socket: 0 if the socket took it all, MUST_WRITE or LOST."""
        if not self.held:
            self.held = engine.fetch()
            engine.most_out = max(engine.most_out, len(self.held))
        elif engine.outgoing.pending:
            self.held = self.held[self.held_at :] + engine.fetch()
            self.held_at = 0
        while self.held_at < len(self.held):
            count = self.transfer.send(fd, self.held, self.held_at)
            if count <= 0:
                self.owing = True
                return MUST_WRITE if count == WOULD_BLOCK else LOST
            self.held_at += count
        self.held = b""
        self.held_at = 0
        self.owing = False
        return 0

    def send_file(self, fd: int, file: int, offset: int, count: int) -> int:
        """Never called: can_send_files is False, as there is no sendfile() over TLS."""
        raise NotImplementedError

    def unsent(self, fd: int) -> int:
        """Bytes that send() has taken and the client has not acknowledged; 0 where that is unknown.

        Negative where the client has acknowledged part of what send() does not count yet.
        """
        return self.plain.unsent(fd) - self.held_at

    def presence(self, fd: int) -> int:
        """Whether the client is there; close_notify alone, which is not read here, is not its end."""
        return self.plain.presence(fd)

    def weight(self) -> int:
        """Bytes of memory that the transport holds for this connection: measured, and what it counts itself.

        OpenSSL enlarges its buffers by a third more than is needed, and never makes them smaller.
        """
        engine = self.engine
        if engine is None:
            return len(self.hello)
        base = WEIGHT_OPEN if self.stage == OPEN else WEIGHT_OPENING
        return base + (engine.most_in + engine.most_out) * 4 // 3 + len(self.held)

    # The end

    def finish(self, fd: int) -> None:
        """Signal that nothing more will be sent, in TLS and below."""
        self._say_end(fd)
        self._retire()
        self.plain.finish(fd)

    def _say_end(self, fd: int) -> None:
        """Send close_notify, unless that is done or impossible, or the socket takes no more."""
        engine = self.engine
        if engine is not None and self.stage == OPEN and not self.held and not self.ending:
            self._end(engine)
            self._push(engine, fd)

    def _end(self, engine: Engine) -> None:
        """Make close_notify (RFC 8446 6.1)."""
        self.ending = True
        try:
            engine.end()
        except OSError:
            pass  # the client's has not arrived, and is not waited for

    def cut(self, fd: int) -> None:
        """Reset the connection; the descriptor, now useless, stays open until it is closed."""
        self.plain.cut(fd)

    def close(self, fd: int, reset: bool) -> None:
        """Close; *reset* keeps the client from taking what it has for the whole response."""
        if self.handshaking:
            self._lose("not finished")
        if not reset:
            self._say_end(fd)
        self._retire()
        self.plain.close(fd, reset)

    # What the application sees

    def describe(self) -> dict[str, str]:
        """What is known of this connection, for the environ of each request."""
        if self.facts is None:
            assert self.engine is not None, "a request came through it"
            self.facts = self.tls.describe(self.engine.direct, self.host)
        return self.facts
