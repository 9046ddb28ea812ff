"""One call of a WSGI application: environ in, response into the out-buffer (PEP 3333).

An Exchange is the start_response of one request and carries its response to the end. go_on() calls the application, and
then asks the iterable for pieces as long as the client takes them; it is called again when the client does. close() of
the iterable is called once, always, however it ends. A response that cannot be finished is cut, so that the client can
see that it is not whole.

start_response(), write() and wsgi.early_hints are taken only while the application runs, and one at a time: the call
that is made within another, by an element of the headers or by another thread, is refused. So whatever order an
application finds, the out-buffer is in one hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.figures import APPLICATION_ERRORS
from fastwsgi.http.answers import EXPIRED, FAILED
from fastwsgi.http.errors import ApplicationError, ClientDisconnected, StopNow, error_of
from fastwsgi.http.file_wrapper import FileStretch, FileWrapper, stretch_of
from fastwsgi.http.grammar import BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY
from fastwsgi.http.naming import full_name
from fastwsgi.http.stages import APPLICATION, BEGUN, CALL, DONE, OPEN, SERVER, STARTED
from fastwsgi.http.waits import pause, resume
from fastwsgi.http.write_ahead import catch_up, keep, keep_less, taken_apart
from fastwsgi.leaving import leave

if TYPE_CHECKING:
    from types import TracebackType

    from fastwsgi.http._outbox_py import OutBuffer
    from fastwsgi.http._turn_py import Turn
    from fastwsgi.http.answers import Answer
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.head import HeadParser
    from fastwsgi.http.interfaces import Handed
    from fastwsgi.http.write_ahead import WriteAhead

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

IS_PURE = __name__ == "fastwsgi.http.exchange"

END: Any = object()  # marks the end of an iterable
GONE: Any = None  # replaces the references to its request once an exchange is done

GATHERED = 65536  # bytes: a list up to here is answered in one go
PIECES = 64  # yielded by one response before other connections get their turn
WRITE_AHEAD = 1048576  # bytes that write() keeps in memory for a slow client; the rest goes to a file
STRETCH = 262144  # bytes of one sendfile call
PAUSES = 5000  # of a millisecond, for a call that another thread of the application has not ended


class Write:
    """What start_response returns. (To make such an object costs half of what a bound method does.)"""

    exchange: Exchange

    def __init__(self) -> None:
        raise TypeError("start_response makes it")  # in C one without an exchange would end the process

    def __call__(self, data: bytes) -> None:
        """Exchange.write()."""
        self.exchange.write(data)


class Exchange:
    """The start_response of one request, which carries the response to its end; of() makes it."""

    def of(self, connection: Connection, out: OutBuffer, head: HeadParser) -> Exchange:
        """The Exchange of the request whose *head* was just parsed; *connection* sends what is in *out*."""
        exchange = Exchange.__new__(Exchange)
        exchange.begin(connection, out, head)
        return exchange

    def _begin_empty(self) -> None:
        """Set what begins as None, 0 or False, as it does in C anyway."""
        self.route: Callable[..., Any] | None = None  # what answers ahead of the application, if anything does
        self.sent = 0  # bytes of the body handed to the out-buffer
        self.queued = 0.0  # seconds that the request waited for a thread
        self.idle = 0.0  # seconds from its complete head to when its thread began to work on it: see waits.py
        self.paused = 0.0  # since when it waits for its client or its turn; 0: it does not
        self.settled = False  # *idle* has all of its wait for a thread
        self.row = 0  # where its call is in the memory of figures; 0: where that of the loop's thread is; see rows.py
        self.is_refused = False
        self.is_faulty = False  # the application has failed
        self.note: Any = None  # the observer's
        self.over = False  # all of it is done but the report of its end
        self.end_reported = False  # the end was reported to the observer
        self.cut = False  # the connection must end so that the client sees the response is not whole
        self.overrun = False  # the application gave more bytes than it announced
        self.turn: Turn | None = None  # the turn of the thread that runs it, if that thread has the loop
        self.code = 0
        self.result: Iterable[bytes] | None = None
        self.iterator: Iterator[bytes] | None = None
        self.bound = False  # the iterator must run on the thread that began it
        self.pieces: list[bytes] | None = None  # of a long list, those that the iterator has still to give, in reverse
        self.left = 0  # their bytes
        self.ahead: WriteAhead | None = None  # what write() was given and the client has not taken yet
        self.stretch: FileStretch | None = None  # what is left of the file that is being sent
        self.instead: Handed | None = None  # what is sent in place of the application's response

    def begin(self, connection: Connection, out: OutBuffer, head: HeadParser) -> None:
        """Copy the facts of the request."""
        if IS_PURE:
            self._begin_empty()
        self.service = connection.service
        self.connection = connection
        self.out = out
        self.environ, head.environ = head.environ, GONE  # belongs to the application, once that is called
        if self.service.routes is not None:
            self.route = self.service.routes.find(self.environ, self.service.now)
        self.is_head = head.is_head
        self.version = head.version
        self.keep_alive = head.keep_alive
        self.stage = OPEN
        self.floor = SERVER
        self.framed = NO_BODY  # how the end of the body is shown
        self.announced = -1  # bytes of the body, if the head says so
        self.started = self.service.now  # when the head was complete

    # What the application calls

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """start_response (PEP 3333): returns write().

        Raises:
            ApplicationError: a second call without *exc_info*, a malformed argument, a call within another.
            exc_info[1]: when the head is already on its way.
        """
        self.enter()
        error = None
        try:
            if exc_info is not None:
                self.service.guard.give_up()
                error = error_of(exc_info)
                self.service.guard.take_back()
            if error is None:
                if self.stage != OPEN:
                    raise ApplicationError("start_response called a second time without exc_info")
            elif self.stage == STARTED or self.stage == DONE:
                raise error
            self._begin_head(status, headers)
        finally:
            exc_info = error = None  # breaks the cycle of traceback and frame
            self.leave()
        return self._new_write()

    def _new_write(self) -> Write:
        write = Write.__new__(Write)
        write.exchange = self
        return write

    def enter(self) -> None:
        """Begin a call that the application makes."""
        taken = self.service.guard.take_back()
        if self.floor != APPLICATION and self.stage != DONE:
            if taken:
                self.service.guard.give_up()
            raise ApplicationError("start_response, write() or wsgi.early_hints called within one another")
        self.floor = CALL

    def leave(self) -> None:
        """End a call that the application made; report the end of a request that was given up meanwhile.

        The floor is set before *given_up* is read, as the thread that gives the request up has it the other way round.
        """
        self.service.guard.take_back()
        self.floor = APPLICATION
        if self.stage != DONE and self.connection.given_up:
            self.connection.await_expiry()
            self.report_end()
        self.service.guard.give_up()

    def _begin_head(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Take the head; where it is refused, one that was taken before is gone, too.

        Objects in it may run code of the application, and so without the guard; the floor keeps others out.
        """
        self.stage = OPEN
        if self.connection.given_up:
            self.out = type(self.out)()  # nobody gets it; the other one is in the hand of another thread
        out = self.out
        if self.service.sender is not None and self.route is None:
            self._look_for_file(status, headers)
            if self.instead is not None:
                status, headers = self.instead.status, self.instead.fields
        self.service.guard.give_up()
        out.begin(status, headers)
        self.service.guard.take_back()
        if out.code < 200:
            out.drop_head()
            raise ApplicationError(f"status {status!r} is not the application's to send")
        self.stage = BEGUN

    def _look_for_file(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Find what is sent instead, if the application names it in the head."""
        assert self.service.sender is not None
        sender, environ = self.service.sender, self.environ
        self.service.guard.give_up()
        self.instead = sender.answer(status, headers, environ)
        self.service.guard.take_back()

    def write(self, data: bytes) -> None:
        """Send a piece of the body at once (PEP 3333, "The write() Callable"); never waits for the client.

        What a slow client has not taken yet is kept in memory, past 1 MiB in a temporary file.

        Raises:
            ApplicationError: *data* is not bytes; a call before start_response, after the end, or within another.
            ClientDisconnected: the client is gone, has already received another answer, or is given up, as there is no
                room for what it does not take.
        """
        if self.service.forked:
            return  # nobody gets what a child writes
        self.enter()
        connection = self.connection  # the response may be given up while this is in a slow file
        spoilt = False
        try:
            if self.stage == DONE:
                raise ApplicationError("write() after the response ended")
            self._size_of(data)
            if self.stage == OPEN:
                raise ApplicationError("a body before start_response was called")
            spoilt = True
            self._write(data)
            spoilt = False
        finally:
            if spoilt:  # a part of the piece may be sent: nothing may follow, even if the application goes on
                connection.given_up = True
            self.leave()

    def _write(self, data: bytes) -> None:
        if self.instead is not None:
            return
        if self.stage != STARTED:
            self._start(-1)
        if not data:
            self.connection.presence.check()
        if self.ahead is not None or not self.connection.flush():
            if self.ahead is None and self.out.size < WRITE_AHEAD:
                self.put(self.out, data)
            else:
                keep(self, data)
        else:
            self.put(self.out, data)
            if not self.connection.flush():
                keep_less(self, WRITE_AHEAD)

    # The steps

    def go_on(self, first: bool) -> bool:
        """Call the application, *first*, or go on where the client was slow; True when the response is whole."""
        try:
            if not first:
                resume(self.service.meter, self)
            if self._call() if first else self._produce():
                return True
            pause(self.service.meter, self)
            return False
        except BaseException as error:
            if self.service.forked:
                leave(error)
            is_answered = self._fail(error)
            self.service.guard.give_up()  # *error* goes here, with frames in which objects may run code as they go
        self.service.guard.take_back()
        if not is_answered:
            raise ClientDisconnected("it was given up")  # another one, without those frames
        return True

    def _call(self) -> bool:
        self._give_floor()
        if self.route is None:
            result = self.result = self.service.app(self.environ, self)
        else:
            result = self.result = self.route(self.environ, self)
        self._take_back()
        if self.instead is not None:
            self._send_instead(self.instead)
        elif type(result) is list or type(result) is tuple:
            if self._put_all(result):
                return self._end()
            self.result = None
            self.pieces = list(reversed(result))
            self.iterator = taken_apart(self.pieces)
            result = self.pieces  # no longer the application's, which may free its own
        elif (type(result) is not FileWrapper and type(result) is not FileStretch) or not self._send_file(result):
            self._give_floor()
            self.iterator = iter(result)
            self._take_back()
            self.bound = self.service.threaded and self.route is None
        del result  # else it would go after _finish(), which lets it go where it may run code of the application
        return self._produce()

    def _give_floor(self) -> None:
        """Let the application run, unless its request was given up: see leave()."""
        self.floor = APPLICATION
        if self.connection.given_up:
            raise ClientDisconnected("it was given up")
        self.service.guard.give_up()

    def _take_back(self) -> None:
        """Take the floor from the application, which has returned; a child that it has forked ends here."""
        if self.service.forked:
            self._leave_child()
        self.service.guard.take_back()
        if self.floor == CALL:
            self._await_call()
        self.floor = SERVER

    def _leave_child(self) -> None:
        """End this process, a fork that has left the application. (Apart, so that C has a short way past it.)"""
        leave()

    def _await_call(self) -> None:
        """Wait for a thread that the application has left behind in a call; if that does not end, cut the response."""
        for _ in range(PAUSES):
            if self.floor != CALL:
                return
            self.service.loop.pause()
        self.connection.given_up = True

    def abandon(self) -> None:
        """Close what is open, as the client is gone."""
        self._take_back()
        self.cut = True
        self._finish()

    def _put_all(self, pieces: Any) -> bool:
        """Send a short list at once, as its length is known; False if it must be sent piece by piece."""
        total = 0
        for piece in pieces:
            total += self._size_of(piece)
        if self.stage == BEGUN:
            self._start(total)
        if self.ahead is not None or (total > GATHERED and self.framed != NO_BODY):
            self.left = total
            return False
        if self.stage == STARTED:
            for piece in pieces:
                self.put(self.out, piece)
        return True

    def _produce(self) -> bool:
        """Ask for pieces until the end (True), or until the client or other connections come first (False).

        A response that is bound to its thread runs to its end here, while another thread takes the loop.
        """
        pieces = 0
        while True:
            if not self.connection.flush():
                if not self.bound or self.iterator is None:
                    return False
                self.service.pool.wait_for_client(self.connection)
                continue
            if pieces == PIECES:
                if not self.bound or self.iterator is None:
                    return False
                self.service.pool.step_aside(self.connection)
                pieces = 0
            pieces += 1
            if self.ahead is not None:
                catch_up(self, self.ahead)
            elif self.stretch is not None:
                if not self._send_stretch(self.stretch):
                    return False
            elif self.iterator is None:
                return self._end()
            else:
                self._put_next()

    def _put_next(self) -> None:
        """Ask the iterable for one piece; the head goes out with the first that is not empty."""
        assert self.iterator is not None
        self._give_floor()
        piece = next(self.iterator, END)
        if type(piece) is not bytes and piece is not END and self.instead is None:
            self._size_of(piece)  # raises while the guard is given up: this piece may run code as it goes
        self._take_back()
        if self.instead is not None:
            self._end_iterator()
            self._send_instead(self.instead)
            return
        if piece is END:
            self.service.guard.give_up()  # see _end_iterator()
            self.iterator = None
            self.service.guard.take_back()
            return
        if self._size_of(piece):
            if self.stage != STARTED:
                self._start(-1)
            self.put(self.out, piece)
            if self.pieces is not None:
                self.left -= len(piece)
            if self.overrun or self.framed == NO_BODY:
                self._end_iterator()  # the body is complete (PEP 3333, "Handling the Content-Length Header")
        else:
            self.connection.presence.check()

    def _end_iterator(self) -> None:
        """Ask for no more pieces; the iterator may run code of the application as it goes."""
        self.service.guard.give_up()
        self.leave_out_rest()
        self.service.guard.take_back()

    def leave_out_rest(self) -> None:
        """Ask for no more pieces."""
        self.iterator = self.pieces = None
        self.left = 0

    # The end

    def _end(self) -> bool:
        """End the response, for which the application has given everything."""
        if self.stage == OPEN:
            raise ApplicationError("the application returned without a call of start_response")
        if self.stage == BEGUN:
            self._start(0)
        if self.framed == BY_CHUNKS:
            self.out.add(b"0\r\n\r\n")
        elif self.sent < self.announced:
            self._complain(f"body of {self.sent} bytes is shorter than its Content-Length of {self.announced}")
            self.cut = True
        if type(self.result) is not list and self.result is not None:
            self.connection.flush()  # close() may take its time
        self._finish()
        return True

    def _fail(self, error: BaseException) -> bool:
        """End the response after *error*; False if the client is gone."""
        if isinstance(error, ClientDisconnected) and self.connection.given_up:  # else it is the application's own
            self.abandon()
            return False
        try:
            self._answer_failure(error)
        except ClientDisconnected:
            return False
        return True

    def _answer_failure(self, error: BaseException) -> None:
        """Answer 500 after the application raised, or cut the response if part of it is sent."""
        self._take_back()
        self._complain("given up at the stop" if isinstance(error, StopNow) else "the application failed", error)
        if self.stage == STARTED or self.stage == DONE:
            self.cut = True
        else:
            self.stop_if_given_up()  # the out-buffer may be in another thread's hand
            self.sent = 0
            self.out.begin(FAILED.status, FAILED.fields)
            self.stage = BEGUN
            self._start(len(FAILED.body))
            self.put(self.out, FAILED.body)
            self.connection.flush()
        self._finish()

    def has_result(self) -> bool:
        """Whether the application's iterable is still to be asked for pieces, or closed."""
        return self.result is not None and self.route is None

    def is_held_back(self) -> bool:
        """Whether no part of the response is sent yet, so that another answer can take its place."""
        return self.stage == OPEN or self.stage == BEGUN

    def is_whole(self) -> bool:
        """Whether the client has been sent all of it, and only close() of the iterable runs."""
        return self.stage == DONE and not self.cut and self.out.size == 0

    def is_in_application(self) -> bool:
        """Whether the application runs, so that nothing of the response is in anybody's hand."""
        return self.floor == APPLICATION

    def is_answered(self) -> bool:
        """Whether the monitor has answered the client; if not, it will not do so any more."""
        if self.turn is None or self.turn.begin_head():
            return False
        self.code, self.sent = EXPIRED.code, 0  # it sends no body
        return True

    def stop_if_given_up(self) -> None:
        """Raise ClientDisconnected if the client has received another answer, or is receiving it."""
        if self.is_answered():
            self.connection.given_up = True
        if self.connection.given_up:
            raise ClientDisconnected("it was given up")

    def replace(self, answer: Answer) -> None:
        """Note that the client gets *answer* instead."""
        self.code = answer.code
        self.sent = 0 if self.is_head else len(answer.body)

    def _finish(self) -> None:
        """Close the iterable, once (PEP 3333: always, even when the client is gone), and report the end."""
        if self.stage == DONE:
            return
        self.stage = DONE
        result, self.result = self.result, None
        if self.pieces is not None:
            self.leave_out_rest()
        if type(result) is not list and result is not None:
            self.floor = APPLICATION
            self.service.guard.give_up()
            try:
                self.iterator = None  # without the guard, as all below: it may run code of the application as it goes
                close = getattr(result, "close", END)
                if close is not END:
                    close()
            except BaseException as error:
                if self.service.forked:
                    leave(error)
                self._complain("close() of the response failed", error)
                self.service.guard.give_up()
            self._take_back()
        self.iterator = None
        if self.ahead is not None:
            self.ahead.close()
            self.ahead = None
        self.over = True
        if self.connection.given_up:  # read last: see leave()
            self.connection.await_expiry()
        self.report_end()
        if self.service.has_messages:
            self.service.end_messages()
        environ = self.environ  # goes last, as objects in it may run code of the application when they go
        self.connection = self.environ = GONE
        self.service.guard.give_up()
        del environ, result
        self.service.guard.take_back()

    def report_end(self) -> None:
        """Report the end to the observer, once; for a request past its deadline this is before the application ends."""
        if not self.end_reported:
            self.end_reported = True
            self.service.meter.end(self)
            if self.service.response_ended is not None:
                self.service.response_ended(self)

    def _complain(self, message: str, error: BaseException | None = None) -> None:
        if not self.is_faulty and not isinstance(error, StopNow):
            self.is_faulty = True
            if self.route is None:
                self.service.meter.add(APPLICATION_ERRORS, 1)
        environ = self.environ
        self.service.guard.give_up()  # handlers of the log may be the application's, as is what *environ* has
        self.service.log_error(f"{message} ({full_name(environ)})", error)
        self.service.guard.take_back()

    # Head and pieces

    def _start(self, known: int) -> None:
        """Begin to send the head.

        The stage is set first. Another thread reads it before it answers in our place: it then finds the head either
        held back, and we send nothing, or on its way.

        Args:
            known: the length of the whole body in bytes, -1 if it is not known yet.

        Raises:
            ClientDisconnected: the client has already received another answer.
        """
        if self.stage == OPEN:
            raise ApplicationError("a body before start_response was called")
        self.stage = STARTED
        if self.connection.given_up or (self.turn is not None and not self.turn.begin_head()):
            self.stop_if_given_up()
        out = self.out
        service = self.service
        length = out.length if out.length >= 0 else known
        self.code = out.code
        self.framed = service.framing.response_body(self.is_head, self.version, out.code, length)
        if self.framed == BY_LENGTH:
            self.announced = length
        elif self.framed == NO_BODY:
            length = self.service.framing.bodiless_length(out.code, out.length, known)
        if out.close or service.draining or self.framed == BY_CLOSE:
            self.keep_alive = False
        connection = "" if self.keep_alive else "close"
        if self.version < 11 and self.keep_alive:
            connection = "keep-alive"
        before = out.size
        out.finish(length, self.framed == BY_CHUNKS, connection, service.server_line, service.date_line)
        if service.response_started is not None:
            service.response_started(self, out.peek()[before:])

    def _size_of(self, piece: Any) -> int:
        """The size of a piece. Raises ApplicationError for one that is not bytes."""
        if type(piece) is not bytes:
            raise ApplicationError(f"the body must be bytes, not {type(piece).__name__}")
        data: bytes = piece
        return len(data)

    def put(self, out: OutBuffer, piece: bytes) -> None:
        """Pass one piece of the body to *out*, framed, and cut off at the announced length."""
        if self.framed == NO_BODY:
            return
        if self.framed == BY_CHUNKS:
            out.add_chunk(piece)
        else:
            if self.announced >= 0 and self.sent + len(piece) > self.announced:
                if not self.overrun:
                    self._complain(f"body is longer than its Content-Length of {self.announced}: cut there")
                self.overrun = True
                piece = piece[: self.announced - self.sent]
            out.add(piece)
        self.sent += len(piece)

    def _send_instead(self, instead: Handed) -> None:
        """Begin to send what the application has named, and nothing that it yields."""
        self.instead = None
        self.leave_out_rest()
        self.bound = False
        if instead.problem:
            self._complain(instead.problem)
        body = instead.body
        if isinstance(body, list):
            self._start(sum(map(len, body)))
            for piece in body:
                self.put(self.out, piece)
        elif not self._send_file(body):
            self.iterator = iter(body)

    def _send_file(self, given: FileWrapper | FileStretch) -> bool:
        """Begin to send a real file by sendfile; False if it must be read instead."""
        if self.stage != BEGUN or not self.connection.wire.can_send_files:
            return False
        stretch = given if isinstance(given, FileStretch) else stretch_of(given.filelike)
        if stretch is None:
            return False
        self._start(stretch.size)
        if self.framed != NO_BODY:
            stretch.cut(self.announced)
            self.stretch = stretch
        return True

    def _send_stretch(self, stretch: FileStretch) -> bool:
        """Send some of the file; False when the client must read first."""
        count = min(stretch.size, STRETCH)
        sent = self.connection.send_file(stretch.file, stretch.offset, count) if count > 0 else 0
        if sent < 0:
            return False
        if sent == 0:  # all is sent, or the file has become shorter
            self.stretch = None
        stretch.advance(sent)
        self.sent += sent
        return True
