"""One call of a WSGI application: environ in, response into the out-buffer (PEP 3333).

An Exchange is the start_response of one request and carries its response to the end. It runs in three steps: run()
calls the application; advance() asks the iterable for pieces as long as the client takes them, and is called again
when it does; close() is called once, always, however it ends. What can't be answered any more is cut, such that the
client can see it.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
from typing import Any, Callable

from fastwsgi.http.errors import ApplicationError, ClientDisconnected
from fastwsgi.http.grammar import BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY, reason_phrase
from fastwsgi.http.naming import request_name

# How far a response has come (Exchange.stage); the words are compared by identity
OPEN = "open"  # start_response was not called
BEGUN = "begun"  # it was; the head is held back until the length is known
STARTED = "started"  # the head is finished: nothing can be taken back
DONE = "done"  # closed

END = object()  # of an iterable

GATHERED = 65536  # bytes: a list up to here is answered in one go
TURN = 64  # pieces of one response before other connections get their turn
WRITE_AHEAD = 1048576  # bytes that write() keeps in memory for a client slow to read; the rest goes to a file
FILE_TURN = 262144  # bytes of one sendfile call


class Gateway:
    """What all requests of a server share.

    Args:
        app: the WSGI application.
        framing: the rules of body length, a framing.Framing.
        log_error: called with a message and an exception, or None, for what is the application's fault.
        server: the value of the Server field, "" for none.
        observer: told of what happens, or None. It has request_refused(connection, refusal) and tick(), called each
            second. It may have connection_refused(host, reason), and of the following what it needs, for each has its
            price: request_started(connection, exchange, head) and response_started(exchange, head) take copies of the
            heads, response_ended(exchange) is told of the end; note(environ) gives what is to be kept in exchange.note
            before the application gets environ for its own.
    """

    def __init__(
        self,
        app: Callable[..., Any],
        framing: Any,
        log_error: Callable[[str, BaseException | None], None],
        server: str = "",
        observer: Any = None,
    ) -> None:
        self.app = app
        self.framing = framing
        self.log_error = log_error
        self.server_line = f"Server: {server}\r\n".encode("latin-1") if server else b""
        self.date_line = b""
        self.observer = observer
        self.request_started = getattr(observer, "request_started", None)
        self.response_started = getattr(observer, "response_started", None)
        self.response_ended = getattr(observer, "response_ended", None)
        self.note = getattr(observer, "note", None)
        self.draining = False  # no connection is kept after its response
        self.threaded = False  # a response that is made piece by piece stays on the thread that began it
        self.served = 0  # requests
        self.quota = 0  # at so many of them ...
        self.quota_reached: Callable[[], None] = lambda: None  # ... this is called

    def exchange(
        self, connection: Any, out: Any, environ: dict[str, Any], is_head: bool, version: int, keep_alive: bool
    ) -> Any:
        """The Exchange for a request.

        Args:
            connection: has flush(), which sends what is in *out* and returns whether it is empty.
            out: the out-buffer.
            environ: of the request; the application owns it once it is called.
            is_head, version, keep_alive: facts of the request head.
        """
        exchange = Exchange.__new__(Exchange)
        exchange.begin(self, connection, out, environ, is_head, version, keep_alive)
        self.served += 1
        if self.served == self.quota:
            self.quota_reached()
        return exchange


class FileWrapper:
    """wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"): sent by sendfile where it can be.

    Args:
        filelike: an object with read(); a real file is sent from its current position.
        blksize: bytes of a piece where it is read instead.
    """

    def __init__(self, filelike: Any, blksize: int = 65536) -> None:
        self.filelike = filelike
        self.blksize = blksize

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> Any:
        piece = self.filelike.read(self.blksize)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()


def _plain_file(filelike: Any) -> Any:
    """*filelike* if its descriptor gives the very bytes that its read() gives, else None (gzip: the packed ones)."""
    if type(filelike).__module__ == "tempfile":
        filelike = getattr(filelike, "file", filelike)
    raw = getattr(filelike, "raw", filelike)
    plain = type(filelike) in (io.BufferedReader, io.BufferedRandom, io.FileIO) and type(raw) is io.FileIO
    return filelike if plain and not filelike.closed else None


class EarlyHints:
    """wsgi.early_hints: sends 103 with some fields at once (RFC 8297); nothing to an HTTP/1.0 client."""

    def __init__(self) -> None:
        self.exchange: Any = None

    def __call__(self, headers: list[tuple[str, str]]) -> None:
        """Send *headers*; without effect once start_response was called."""
        exchange = self.exchange
        if exchange.version >= 11 and exchange.stage is OPEN and exchange.connection is not None:
            exchange.out.begin("103 Early Hints", headers)
            exchange.out.finish(-1, False, "", b"", b"")
            exchange.connection.flush()


class Exchange:
    """The start_response of one request, and the way of its response.

    Gateway.exchange() makes it, past __init__: in C that spares the packing of arguments.
    """

    def begin(
        self,
        gateway: Any,
        connection: Any,
        out: Any,
        environ: dict[str, Any],
        is_head: bool,
        version: int,
        keep_alive: bool,
    ) -> None:
        """Take the facts of the request; the arguments are those of Gateway.exchange()."""
        self.gateway = gateway
        self.connection = connection
        self.out = out
        self.environ: Any = environ
        self.is_head = is_head
        self.version = version
        self.keep_alive = keep_alive
        self.stage = OPEN
        self.framed = NO_BODY  # how the end of the body is shown
        self.announced = -1  # bytes of the body, if the head says so
        self.sent = 0  # bytes of the body handed to the out-buffer
        self.started = 0.0  # when the head was there, on the loop's clock
        self.queued = 0.0  # seconds that the request waited for a thread
        self.note: Any = None  # the observer's
        self.told = False  # the observer was told of the end
        self.cut = False  # the connection must end such that the client sees the response is not whole
        self.overrun = False  # more came than was announced
        self.baton: Any = None  # of the thread on which it runs, if that has the loop
        self.code = 0
        self.result: Any = None
        self.iterator: Any = None
        self.bound = False  # the iterator must run on the thread that began it
        self.spool: Any = None  # what write() was given and the client has not taken yet ...
        self.spool_at = 0  # ... from this byte
        self.file = -1  # the file that is being sent ...
        self.file_at = 0  # ... from this byte ...
        self.file_end = 0  # ... to this
        hints = EarlyHints.__new__(EarlyHints)
        hints.exchange = self
        environ["wsgi.early_hints"] = hints

    # start_response and write

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """start_response (PEP 3333): returns write().

        Raises:
            ApplicationError: a second call without *exc_info*, a malformed status or header.
            exc_info[1]: when the head is already on its way.
        """
        if exc_info is not None:
            try:
                if self.stage is STARTED or self.stage is DONE:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # breaks the cycle of traceback and frame
        elif self.stage is not OPEN:
            raise ApplicationError("start_response called a second time without exc_info")
        self.stage = OPEN
        self.out.begin(status, headers)
        if self.out.code < 200:
            self.out.drop_head()
            raise ApplicationError(f"status {status!r} is not the application's to send")
        self.stage = BEGUN
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body at once (PEP 3333, "The write() Callable"); never waits for the client.

        What a slow client has not taken yet is kept in memory, past 1 MiB in a temporary file.
        """
        self._check_piece(data)
        if self.stage is DONE:
            raise ApplicationError("write() after the response ended")
        if self.stage is not STARTED:
            self._start(-1)
        if self.spool is not None or not self.connection.flush():
            self._write_ahead(data)
        else:
            self._put(data)
            self.connection.flush()

    def _write_ahead(self, data: bytes) -> None:
        if self.out.size < WRITE_AHEAD and self.spool is None:
            self._put(data)
            return
        if self.spool is None:
            self.spool = tempfile.TemporaryFile()
        kept = type(self.out)()
        out, self.out = self.out, kept
        self._put(data)
        self.out = out
        self.spool.seek(0, io.SEEK_END)
        self.spool.write(kept.peek())

    def is_held_back(self) -> bool:
        """Whether nothing of the response is out yet."""
        return self.stage is OPEN or self.stage is BEGUN

    # The three steps

    def run(self) -> bool:
        """Call the application. True when the response is whole in the out-buffer, False when advance() goes on."""
        try:
            self.result = self.gateway.app(self.environ, self)
            if type(self.result) is list or type(self.result) is tuple:
                if self._put_all(self.result):
                    return self._end()
                self.iterator = iter(self.result)
            elif type(self.result) is not FileWrapper or not self._open_file():
                self.iterator = iter(self.result)
                self.bound = self.gateway.threaded
            return self._produce()
        except ClientDisconnected:
            self.abandon()
            raise
        except BaseException as error:
            return self._fail(error)

    def advance(self) -> bool:
        """Go on where the client was slow; True when the response is whole."""
        try:
            return self._produce()
        except ClientDisconnected:
            self.abandon()
            raise
        except BaseException as error:
            return self._fail(error)

    def abandon(self) -> None:
        """The client is gone: close what is open."""
        self.cut = True
        self._finish()

    def _put_all(self, pieces: Any) -> bool:
        """Answer a short list in one go, its length known; False if it must go piece by piece."""
        total = 0
        for piece in pieces:
            self._check_piece(piece)
            total += len(piece)
        if self.stage is BEGUN:
            self._start(total)
        if self.spool is not None or (total > GATHERED and self.framed is not NO_BODY):
            return False
        if self.stage is STARTED:
            for piece in pieces:
                self._put(piece)
        return True

    def _produce(self) -> bool:
        """Ask for pieces until the end (True), or until the client or other connections come first (False).

        What is bound to its thread goes on to its end here, while the others go on elsewhere.
        """
        pieces = 0
        while True:
            if not self.connection.flush():
                if not self.bound or self.iterator is None:
                    return False
                self.connection.wait_for_client()
                continue
            if pieces == TURN:
                if not self.bound or self.iterator is None:
                    return False
                self.connection.step_aside()
                pieces = 0
            pieces += 1
            if self.spool is not None:
                self._send_spool()
            elif self.file >= 0:
                if not self._send_file():
                    return False
            elif self.iterator is None:
                return self._end()
            else:
                self._put_next()

    def _put_next(self) -> None:
        """Ask the iterable for one piece; the head goes out with the first that is not empty."""
        piece: Any = next(self.iterator, END)
        if piece is END:
            self.iterator = None
            return
        self._check_piece(piece)
        if piece:
            if self.stage is not STARTED:
                self._start(-1)
            self._put(piece)
            if self.overrun or self.framed is NO_BODY:
                self.iterator = None  # enough has come (PEP 3333, "Handling the Content-Length Header")

    def _end(self) -> bool:
        """The application gave all it has."""
        if self.stage is OPEN:
            raise ApplicationError("the application returned without a call of start_response")
        if self.stage is BEGUN:
            self._start(0)
        if self.framed is BY_CHUNKS:
            self.out.add(b"0\r\n\r\n")
        elif self.sent < self.announced:
            self._complain(f"body of {self.sent} bytes is shorter than its Content-Length of {self.announced}")
            self.cut = True
        self._finish()
        return True

    def _fail(self, error: BaseException) -> bool:
        """The application raised: 500 while nothing of the response is out, else a cut."""
        self._complain("the application failed", error)
        if self.stage is STARTED or self.stage is DONE:
            self.cut = True
        else:
            self.sent = 0
            body = b"" if self.is_head else b"500 Internal Server Error\n"
            self.out.begin(f"500 {reason_phrase(500)}", [("Content-Type", "text/plain")])
            self.stage = BEGUN
            self._start(26)
            self._put(body)
        self._finish()
        return True

    def _finish(self) -> None:
        """Close the iterable, once (PEP 3333: always, also when the client is gone); tell the observer."""
        if self.stage is DONE:
            return
        self.stage = DONE
        result, self.result, self.iterator = self.result, None, None
        if type(result) is not list and result is not None:
            try:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
            except BaseException as error:
                self._complain("close() of the response failed", error)
        if self.spool is not None:
            self.spool.close()
            self.spool = None
        self.tell_end()
        self.connection = self.environ = None  # ends the cycle over wsgi.early_hints

    def tell_end(self) -> None:
        """Tell the observer of the end, once: at the deadline of a request that is before the application's."""
        if not self.told and self.gateway.response_ended is not None:
            self.told = True
            self.gateway.response_ended(self)

    def _complain(self, message: str, error: BaseException | None = None) -> None:
        environ = self.environ
        request = request_name(environ)
        if "fastwsgi.request_id" in environ:
            request += f", request {environ['fastwsgi.request_id']}"
        self.gateway.log_error(f"{message} ({request})", error)

    # Head and pieces

    def _start(self, known: int) -> None:
        """Finish the head; *known* is the length of the whole body in bytes, -1 if nobody knows yet."""
        if self.stage is OPEN:
            raise ApplicationError("a body before start_response was called")
        if self.baton is not None and not self.baton.begin_head():
            raise ClientDisconnected("it was given up")
        out = self.out
        gateway = self.gateway
        length = out.length if out.length >= 0 else known
        self.code = out.code
        self.framed = gateway.framing.response_body(self.is_head, self.version, out.code, length)
        if self.framed is BY_LENGTH:
            self.announced = length
        elif self.framed is NO_BODY:
            # What GET would say (RFC 9110 8.6): an empty answer to HEAD tells nothing, 204 has no such field.
            length = -1 if out.code == 204 else out.length if out.length >= 0 or known <= 0 else known
        if out.close or gateway.draining or self.framed is BY_CLOSE:
            self.keep_alive = False
        connection = "" if self.keep_alive else "close"
        if self.version < 11 and self.keep_alive:
            connection = "keep-alive"
        before = out.size
        out.finish(length, self.framed is BY_CHUNKS, connection, gateway.server_line, gateway.date_line)
        if gateway.response_started is not None:
            gateway.response_started(self, out.peek()[before:])
        self.stage = STARTED

    def _check_piece(self, piece: Any) -> None:
        if type(piece) is not bytes:
            raise ApplicationError(f"the body must be bytes, not {type(piece).__name__}")

    def _put(self, piece: bytes) -> None:
        """Hand one piece of the body to the out-buffer, framed, and cut at the announced length."""
        if self.framed is NO_BODY:
            return
        if self.framed is BY_CHUNKS:
            self.out.add_chunk(piece)
        else:
            if self.announced >= 0 and self.sent + len(piece) > self.announced:
                if not self.overrun:
                    self._complain(f"body is longer than its Content-Length of {self.announced}: cut there")
                self.overrun = True
                piece = piece[: self.announced - self.sent]
            self.out.add(piece)
        self.sent += len(piece)

    # Files

    def _send_spool(self) -> None:
        self.spool.seek(self.spool_at)
        data = self.spool.read(WRITE_AHEAD)
        if data:
            self.spool_at += len(data)
            self.out.add(data)
        else:
            self.spool.close()
            self.spool = None

    def _open_file(self) -> bool:
        """Make ready to send a real file by sendfile; False if it must be read instead."""
        if self.stage is not BEGUN or not self.connection.can_send_files():
            return False
        filelike = _plain_file(self.result.filelike)
        if filelike is None:
            return False
        file = filelike.fileno()
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:  # /proc says 0 and gives more
            return False
        at = filelike.tell()
        size = max(0, status.st_size - at)
        self._start(size)
        if self.framed is NO_BODY:
            return True
        if size > self.announced:
            size = self.announced
        self.file, self.file_at, self.file_end = file, at, at + size
        return True

    def _send_file(self) -> bool:
        """Send a stretch of the file; False when the client must read first."""
        count = min(self.file_end - self.file_at, FILE_TURN)
        if count == 0:
            self.file = -1
            return True
        sent = self.connection.send_file(self.file, self.file_at, count)
        if sent < 0:
            return False
        if sent == 0:  # somebody made the file shorter
            self.file = -1
        self.file_at += sent
        self.sent += sent
        return True
