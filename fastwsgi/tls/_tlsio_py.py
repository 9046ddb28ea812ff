"""TLS over a non-blocking socket as a Wire, in pure Python: the specification of _tlsio_c.pyx.

One TlsWire serves one connection. Ciphertext is moved between the socket and a TLS object in memory, so OpenSSL never
touches the socket. All bounds are here: what is decrypted in one call fits the inbox, with nothing left behind in the
TLS object, since the poller looks at the socket alone; and no more ciphertext waits for the socket than one send()
makes of CHUNK bytes. The out-buffer keeps what was encrypted until the socket has taken all of that.
"""

from __future__ import annotations

import os
from typing import Any, Callable

from fastwsgi.http._wire_py import LOST, MUST_WRITE, NOT_TLS, REFUSED, WOULD_BLOCK, Wire
from fastwsgi.tls.client_hello import is_http, is_record, server_name

READ_SIZE = 32826  # bytes asked for at once: two full records
RECORD = 18437  # bytes; the longest record (RFC 5246 6.2.3), and the most that the TLS object holds undecrypted
CHUNK = 65536  # bytes encrypted at once
UNANSWERED = 64  # times that something is received before what the TLS object has to say waits for no answer
BARREN = 2 * RECORD  # bytes in which a client says nothing before it is cut off: key updates without end
HANDSHAKE = 262144  # bytes in which it must have said all of its handshake, a chain of certificates included
WANT_READ = 2  # SSLError.errno

# Stages
NEW = 0  # the ClientHello is not whole
OPENING = 1  # the handshake is under way
OPEN = 2
PLAIN = 3  # the client does not speak TLS, and is told so in plain text
OVER = 4  # nothing is said any more, and what comes is dropped


class TlsWire(Wire):
    """The server's side of one TLS connection.

    Args:
        plain: the SocketWire of the loop.
        tls: the tls.Tls of the listener, which gives the TLS object.
        refused: told why, when the connection ends before its handshake has.
    """

    can_send_files = False

    def __init__(self, plain: Any, tls: Any, refused: Callable[[str], None]) -> None:
        self.plain = plain
        self.tls = tls
        self.refused = refused
        self.stage = NEW
        self.mute = True
        self.opening = False
        self.hello = b""  # received, and not given to the TLS object yet
        self.host = ""  # what the client asks for
        self.object: Any = None
        self.incoming: Any = None
        self.outgoing: Any = None
        self.held = b""  # ciphertext for the socket ...
        self.held_at = 0  # ... of which so many bytes are sent
        self.covered = 0  # bytes of the out-buffer that are in it
        self.owing = False  # the socket must take ciphertext before more is received
        self.unanswered = 0  # times that something was received since send() had something
        self.barren = 0  # bytes received since the client last said something
        self.ended = False  # it says no more
        self.ending = False  # nor do we
        self.facts: dict[str, str] | None = None

    # Receiving

    def receive(self, fd: int, inbox: Any, rest: bytes | None) -> int:
        """Begin *inbox* anew with *rest* and what has arrived: bytes read, 0 at the end, or a word of _wire_py.py."""
        inbox.fill(rest or b"")
        if self.owing:
            word = self._push(fd)
            if word < 0:
                return word
        if self.ended:
            return 0
        try:
            data = os.read(fd, READ_SIZE)
        except BlockingIOError:
            return WOULD_BLOCK
        except OSError:
            return self._lose("the connection was lost")
        if not data:
            return 0 if self.stage >= OPEN else self._lose("the client has closed the connection")
        if self.stage == NEW:
            self.hello += data
            word = self._begin()
            if word < 0:
                return word
            data, self.hello = self.hello, b""
        return self._decrypt(fd, inbox, data) if self.stage < PLAIN else len(data)

    def _begin(self) -> int:
        """The first bytes: make the TLS object as soon as it is known for which host; 0 then."""
        if not is_record(self.hello):
            if not is_http(self.hello):
                return self._lose("not TLS")
            self.stage = PLAIN
            self.mute = False
            return NOT_TLS
        self.opening = True
        host = server_name(self.hello)
        if host is None:
            return WOULD_BLOCK
        self.host = host
        self.object, self.incoming, self.outgoing = self.tls.wrap(host)
        self.stage = OPENING
        return 0

    def _decrypt(self, fd: int, inbox: Any, data: bytes) -> int:
        """Put the plaintext of *data* into *inbox*."""
        before = inbox.end
        opening = self.stage == OPENING
        self.incoming.write(data)
        try:
            if opening:
                self._shake_hands()
            if not opening or self.incoming.pending:
                self._read(inbox)
        except OSError as error:
            if error.errno != WANT_READ:
                return self._fail(fd, error)
        if inbox.end == before:
            return self._go_on(fd, len(data), opening)
        self.barren = 0
        self.unanswered += 1
        if self.unanswered == UNANSWERED:
            self.unanswered = 0
            self.owing = self.outgoing.pending > 0
        return int(inbox.end - before)

    def _shake_hands(self) -> None:
        self.object.do_handshake()
        self.stage = OPEN
        self.mute = self.opening = False

    def _read(self, inbox: Any) -> None:
        """Decrypt all records that are whole."""
        while True:
            count = self.object.read(CHUNK, inbox.view[inbox.end : inbox.end + CHUNK])
            if count == 0:
                self.ended = True
                return
            inbox.end += count
            if not self.incoming.pending:
                return

    def _go_on(self, fd: int, size: int, opening: bool) -> int:
        """Nothing was said in *size* bytes: answer what was meant for the TLS object alone, and wait for more."""
        self.barren += size
        if self.barren > (BARREN if self.stage == OPEN else HANDSHAKE):
            return self._lose("too much is said to no end")
        if opening and self.stage == OPEN and self.object.version() == "TLSv1.3":
            return WOULD_BLOCK  # there are only tickets to send: they go with the first answer
        word = self._push(fd)
        return word if word < 0 else 0 if self.ended else WOULD_BLOCK

    # Failing

    def _fail(self, fd: int, error: OSError) -> int:
        """What came is no TLS, or none that we take; the TLS object has an alert for it."""
        self._push(fd)
        opening = self.opening
        self._lose(str(getattr(error, "reason", None) or "not understood").replace("_", " ").lower())
        return REFUSED if opening else LOST

    def _lose(self, reason: str) -> int:
        """The end of this wire; LOST."""
        if self.stage < OPEN and (self.hello or self.stage == OPENING):  # else nothing was said: a health check, say
            self.refused(f"TLS: {reason}")
        self._retire()
        return LOST

    def _retire(self) -> None:
        self.stage = OVER
        self.mute = True
        self.opening = self.owing = False
        self.object = self.incoming = self.outgoing = None
        self.held = self.hello = b""

    # Sending

    def send(self, fd: int, out: Any) -> int:
        """Send what *out* holds: bytes left (0 when it is empty), or LOST."""
        if self.stage == PLAIN:
            return int(self.plain.send(fd, out))
        if self.stage != OPEN:
            return LOST
        while True:
            if self.owing:
                word = self._push(fd)
                if word < 0:
                    return int(out.size) if word == MUST_WRITE else LOST
                out.sent(self.covered)
                self.covered = 0
            if out.size == 0:
                return 0
            if not self._encrypt(out):
                return LOST

    def _encrypt(self, out: Any) -> bool:
        """Encrypt up to CHUNK bytes of *out*, and close_notify behind the last; False if that cannot be."""
        self.owing = True
        self.unanswered = 0
        chunk = bytearray()
        for part in out.parts:
            chunk += memoryview(part)[: CHUNK - len(chunk)]
            if len(chunk) == CHUNK:
                break
        view = memoryview(chunk)
        try:
            while view:
                count = self.object.write(view)  # at most a record
                view = view[count:]
                self.covered += count
        except OSError:
            return False
        if self.last and self.covered == out.size:
            self._end()
        return True

    def _end(self) -> None:
        """Make close_notify (RFC 8446 6.1)."""
        self.ending = True
        try:
            self.object.unwrap()
        except OSError:
            pass  # that of the client is not there, and not waited for

    def _push(self, fd: int) -> int:
        """Send what the TLS object has for the socket: 0 if that took all, MUST_WRITE or LOST."""
        if self.outgoing.pending:
            self.held = self.held[self.held_at :] + self.outgoing.read()
            self.held_at = 0
        while self.held_at < len(self.held):
            try:
                self.held_at += os.write(fd, memoryview(self.held)[self.held_at :])
            except BlockingIOError:
                self.owing = True
                return MUST_WRITE
            except OSError:
                return LOST
        self.held = b""
        self.held_at = 0
        self.owing = False
        return 0

    def send_file(self, fd: int, file: int, offset: int, count: int) -> int:
        """Not over TLS: can_send_files says so."""
        raise NotImplementedError

    def unsent(self, fd: int) -> int:
        """Bytes that were taken by send() and that the client has not acknowledged; 0 where nobody knows.

        Below 0 where it has acknowledged bytes of a part that send() does not count yet.
        """
        return int(self.plain.unsent(fd)) - self.held_at

    # The end

    def finish(self, fd: int) -> None:
        """Say that nothing more will be sent, in TLS and below."""
        if self.stage == OPEN:
            self._say_end(fd)
        self._retire()
        self.plain.finish(fd)

    def _say_end(self, fd: int) -> None:
        """Send close_notify, unless that was done, or the socket takes no more."""
        if not self.held and not self.ending:
            self._end()
            self._push(fd)

    def cut(self, fd: int) -> None:
        """Reset the connection, and leave the descriptor, good for nothing, to whoever is going to close it."""
        self.plain.cut(fd)

    def close(self, fd: int, reset: bool) -> None:
        """Close; with *reset* so that the client cannot take what it has for the whole."""
        if self.opening:
            self._lose("not finished")
        if self.stage == OPEN and not reset:
            self._say_end(fd)
        self._retire()
        self.plain.close(fd, reset)

    # What is known

    def describe(self, environ: dict[str, Any]) -> None:
        """Add what the application may know of this connection."""
        if self.facts is None:
            self.facts = self.tls.describe(self.object, self.host)
        environ.update(self.facts)
