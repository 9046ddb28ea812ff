"""One client connection: its states, and the way of the bytes through them.

    state        waits for                      leaves when
    "idle"       the first byte of a request    it comes -> "head"
    "head"       the rest of a request head     it is whole -> body, or the application is called
    "body"       the rest of a request body     it is whole -> the application is called
    "running"    the application, or a thread   it gave its response, or as much as the client takes
    "sending"    the client to read             all is written -> "idle", or the end
    "lingering"  the client to close            it did, or had its time
    "closed"     nothing

A connection owns no socket and no clock. The loop calls on_ready() when its state's wait is over and on_deadline() when
it took too long; a Wire moves the bytes; what the connections of one loop share comes in as a Shared. Requests
that arrived together are answered together: their answers gather in the out-buffer and leave in one write.

While the application runs, another thread may take the loop over, by taking the baton. The thread that was left
behind ends its turn alone, with the buffers it has, and gives the connection back by asking the loop to watch it.
Until then the connection is "away": nothing that the loop sees or counts concerns it.
"""

from __future__ import annotations

import io
from typing import Any

from fastwsgi.http.errors import ClientDisconnected, HttpError
from fastwsgi.http.grammar import BY_CLOSE, reason_phrase

# The states, and what the loop watches for; the words are compared by identity
IDLE = "idle"
HEAD = "head"
BODY = "body"
RUNNING = "running"
SENDING = "sending"
LINGERING = "lingering"
CLOSED = "closed"
READ = "read"
WRITE = "write"

# What Wire.receive() says instead of a count
WOULD_BLOCK = -1
MUST_WRITE = -3
REFUSED = -4
NOT_TLS = -5

TURN = 64  # pipelined requests before other connections get their turn
GATHERED = 65536  # bytes of pipelined answers before they are sent
RATE_GRACE = 30.0  # seconds before the slowest allowed rate is asked for
LINGERED = 1048576  # bytes read and dropped from a client that was refused


class Connection:
    """The server's side of one connection.

    Args:
        shared: what the connections of this loop share.
        parser: the head.HeadParser of the listener.
        wire: the transport.
        fd: the connected socket.
        host, port: of the client, as environ gives them; "" for a unix socket.
    """

    def __init__(self, shared: Any, parser: Any, wire: Any, fd: int, host: str, port: str) -> None:
        self.shared = shared
        self.parser = parser
        self.wire = wire
        self.fd = fd
        self.host = host
        self.port = port
        self.describe: Any = None  # called with each environ: adds what the transport or a proxy tells of the client
        self.client = host  # REMOTE_ADDR of the last request
        self.state = HEAD
        self.waits = ""  # what the loop watches for: "read", "write" or nothing yet
        self.away = False  # a thread serves it alone, or it waits for its turn
        self.doomed = False  # whoever serves it shall give it up
        self.rest: Any = None  # received bytes that are not used yet, while others use the inbox
        self.out: Any = None  # the out-buffer: borrowed for a turn, kept while bytes are left in it
        self.body: Any = None
        self.exchange: Any = None  # a response that is not whole yet
        self.then = IDLE  # the state after "sending"
        self.blocked = False  # the socket took less than it was given
        self.keep = True  # another request may follow
        self.answered = False  # at least one request was
        self.checked = 0  # bytes of an incomplete head whose line ends were looked at ...
        self.examined = 0  # ... and that were parsed
        self.number = 0  # given by the trace
        self.deadline = shared.now + shared.header_timeout
        self.since = 0.0  # when the body began; of a response, when it would have, had it been blocked all the time
        self.moved = 0  # bytes that came or went since
        self.taken = 0  # of these, bytes that the client is known to have
        self.waited = 0.0  # seconds that the response was blocked before now

    # What the loop calls

    def on_ready(self) -> bool:
        """What the state waited for is there. True if the caller has lost the loop to another thread meanwhile."""
        if self.away or self.state is RUNNING:
            return False
        baton = self.shared.baton
        try:
            if self.state is SENDING:
                self._continue()
            elif self.state is LINGERING:
                self._discard()
            elif self.state is IDLE and self.rest is not None:
                self._work_on_rest()  # its turn was over before its requests were
            elif self.state is BODY and self.body.paused:
                self._work_on_rest()
            elif self.state is not CLOSED:
                self._receive()
        except ClientDisconnected:
            self.drop(self.blocked)
        except Exception as error:
            self.shared.loop.lose(self, error)
        return bool(baton.lost)

    def on_turn(self) -> bool:
        """It is this connection's turn again; returns what on_ready() does."""
        self.away = False
        return self.on_ready()

    def is_idle(self) -> bool:
        """Whether nothing of a request has been read that is not answered; empty lines before it are nothing."""
        return not self.away and self._is_between_requests()

    def _is_between_requests(self) -> bool:
        if (self.state is not IDLE and self.state is not HEAD) or self.wire.opening:
            return False
        return self.rest is None or not self.rest.strip(b"\r\n")

    def is_late(self, now: float) -> bool:
        """Whether the deadline has passed, or bytes move slower than the floor (bytes a second)."""
        if self.away or self.state is RUNNING:
            return False
        if self.state is SENDING:
            return bool(self.blocked) and self.reads_too_slowly(now)
        if now < self.deadline:
            return self.state is BODY and self._is_below_floor(now, self.moved)
        return self.state is not IDLE or not self._reads_on(now, self.shared.keep_alive)

    def reads_too_slowly(self, now: float) -> bool:
        """Whether a client that does not take its response has passed the deadline or the floor."""
        self._reads_on(now, self.shared.write_timeout)
        return now >= self.deadline or self._is_below_floor(now, self.taken)

    def _reads_on(self, now: float, more: float) -> bool:
        """Whether the client has taken more of a response since the last look, and gets *more* seconds.

        What the socket took tells little: a full send queue takes nothing more until much of it is read, and the last
        response waits in it after it is done with here.
        """
        unsent = self.wire.unsent(self.fd)
        taken = self.moved - unsent
        if unsent == 0 or taken <= self.taken:
            return False
        self.taken = taken
        self.deadline = now + more
        return True

    def _is_below_floor(self, now: float, moved: int) -> bool:
        elapsed = now - self.since
        return bool(elapsed > RATE_GRACE and moved < self.shared.min_rate * elapsed)

    def on_deadline(self) -> bool:
        """Too late: 408 where a request is under way or none was ever answered (RFC 9110 15.5.9), else close.

        An idle connection may have got a request this very moment: only if nothing is there to read, it is closed.
        Returns what on_ready() does.
        """
        baton = self.shared.baton
        deadline = self.deadline
        try:
            if self.wire.mute:
                self.drop(False)
                return False
            if self.state is BODY or (self.state is HEAD and not (self.answered and self.is_idle())):
                self._refuse(HttpError(408, "deadline"))
                return False
            if self.state is IDLE and self.rest is None:
                self._receive()
            if self.state is not CLOSED and self.deadline == deadline and not baton.lost:
                self.drop(self.state is SENDING)
        except ClientDisconnected:
            self.drop(False)
        except Exception as error:
            self.shared.loop.lose(self, error)
        return bool(baton.lost)

    def drop(self, reset: bool) -> None:
        """End the connection now; with *reset* such that the client sees its response is not whole."""
        if self.state is CLOSED:
            return
        self.state = CLOSED
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.abandon()
        self._drop_body()
        if self.out is not None and self.out is self.shared.out and self.out.size:
            self.shared.out = type(self.out)()
        self.out = self.rest = None
        self.shared.loop.forget(self)
        self.wire.close(self.fd, reset)

    def abort(self) -> None:
        """End the connection now; if a thread serves it alone, that thread will, as soon as it can."""
        if self.away or self.state is RUNNING:
            self.doomed = True
        else:
            self.drop(self.state is SENDING)

    def expire(self, exchange: Any) -> bool:
        """The application has had its time for *exchange*, which runs in another thread: answer 504, or cut the
        response if its head was out. False if it has ended this moment.
        """
        if self.exchange is not exchange or self.state is not RUNNING:
            return False
        self.doomed = True
        gateway = self.shared.gateway
        if exchange.baton is not None and not exchange.baton.begin_head():
            return True  # the monitor was faster
        if not exchange.is_held_back() or self.wire.send(self.fd, self.out) != 0:
            exchange.tell_end()
            self.wire.cut(self.fd)
            return True
        out = type(self.out)()
        text = b"504 Gateway Timeout\n"
        out.begin(f"504 {reason_phrase(504)}", [("Content-Type", "text/plain")])
        out.finish(len(text), False, "close", gateway.server_line, gateway.date_line)
        if not exchange.is_head:
            out.add(text)
            exchange.sent = len(text)
        exchange.code = 504
        exchange.tell_end()
        self.wire.send(self.fd, out)
        self.wire.finish(self.fd)
        return True

    # Receiving

    def _receive(self) -> None:
        inbox = self.shared.inbox
        received = self.wire.receive(self.fd, inbox, self.rest)
        if received > 0:
            self.rest = None
            if self.state is BODY:
                self.moved += received
            self._work(inbox)
        elif received == 0:
            self._end_of_input()
        elif received == WOULD_BLOCK:
            self._wait(READ)
        else:
            self._meet(received)

    def _meet(self, word: int) -> None:
        """The transport has brought no bytes, and says in a *word* of _wire_py.py why."""
        if word == MUST_WRITE:
            self._wait(WRITE)
        elif word == REFUSED:
            self._linger()
        elif word == NOT_TLS:
            self._refuse(HttpError(400, "plain HTTP on a TLS port", "this port speaks TLS: use https://"))
        else:
            self.drop(False)

    def _end_of_input(self) -> None:
        """The client sends no more: between requests that is the end, inside one it is a fault."""
        if self.is_idle():
            self.drop(False)
        else:
            self._refuse(HttpError(400, "the request ends early"))

    def _work(self, inbox: Any) -> None:
        """Serve what is in *inbox*, as far as it goes."""
        self.out = self.shared.out
        try:
            turn = 0
            while turn < TURN and self._serve_next(inbox):
                turn += 1
        except HttpError as refusal:
            self._refuse(refusal)
            return
        self._settle(inbox)

    def _serve_next(self, inbox: Any) -> bool:
        """Take one request from *inbox* and answer it; False when this turn is over."""
        shared = self.shared
        parser = self.parser
        begin = inbox.start
        if self.state is BODY:
            if not self.body.feed(inbox):
                self.deadline = shared.now + shared.body_timeout
                return False
            self._end_body()
        elif inbox.available() == 0:
            return False
        elif not parser.parse(inbox):
            self._wait_for_head(inbox)
            return False
        else:
            self.examined = self.checked = 0
            self._introduce(parser.environ)
            self.exchange = shared.gateway.exchange(
                self, self.out, parser.environ, parser.is_head, parser.version, parser.keep_alive
            )
            self.exchange.started = shared.now
            if shared.gateway.request_started is not None:
                shared.gateway.request_started(self, self.exchange, inbox.since(begin))
            if parser.body_length != 0:
                if not self._begin_body(inbox, parser):
                    return False
            else:
                parser.environ["wsgi.input"] = shared.no_body
        if shared.full:
            self._queue()
            return False
        return self._respond()

    def _introduce(self, environ: Any) -> None:
        """Say who the client is; HttpError if what a proxy tells of it is malformed."""
        environ["REMOTE_ADDR"] = self.host
        environ["REMOTE_PORT"] = self.port
        if self.describe is not None:
            self.describe(environ)
            self.client = environ["REMOTE_ADDR"]

    def _wait_for_head(self, inbox: Any) -> None:
        """A head that is not whole: look at it each time its size has doubled, so that the sum is linear.

        A bare CR or LF is looked for in what is new, for it may be meant as the end of the head.
        """
        shared = self.shared
        if self.state is IDLE:
            self.state = HEAD
            shared.loop.renew_time(shared)
            self.deadline = shared.now + shared.header_timeout
        pending = inbox.available()
        if pending >= 2 * self.examined or inbox.has_bare_line_end(self.checked):
            self.examined = pending
            self.parser.examine(inbox)
        self.checked = max(0, pending - 1)  # the last byte may be the CR of a CRLF

    # The request body

    def _begin_body(self, inbox: Any, parser: Any) -> bool:
        """Start to read the body; True if it is here already."""
        shared = self.shared
        length = parser.body_length
        if 0 < length <= shared.spool_size and length <= inbox.available():
            parser.environ["wsgi.input"] = io.BytesIO(inbox.take(length))
            return True
        if length < 0:
            self.body = shared.chunked(shared.max_body, shared.spool_size)
        else:
            self.body = shared.body(length, shared.spool_size)
        self.state = BODY
        shared.loop.renew_time(shared)
        self.since = shared.now
        self.moved = inbox.available()
        self.deadline = shared.now + shared.body_timeout
        if self.body.feed(inbox):
            self._end_body()
            return True
        if parser.expect_continue and self.body.received == 0:
            self.out.add(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    def _end_body(self) -> None:
        environ = self.exchange.environ
        environ["wsgi.input"] = self.body.rewind()
        # The coding is gone: frameworks that know only CONTENT_LENGTH read right
        environ["CONTENT_LENGTH"] = str(self.body.received)
        self.state = HEAD

    def _drop_body(self) -> None:
        if self.body is not None:
            self.body.discard()
            self.body = None

    # Responding

    def _respond(self) -> bool:
        """Call the application; True when its response is whole and another request may be served now."""
        exchange = self.exchange
        exchange.out = self.out  # not that of the turn in which the head came
        if self.shared.gateway.note is not None:
            exchange.note = self.shared.gateway.note(exchange.environ)
        self.waited = 0.0
        self.moved = self.taken = 0
        if not self._run(exchange, True):
            self._begin_sending(IDLE)
            return False
        return self._end_response()

    def _run(self, exchange: Any, first: bool) -> bool:
        """Let the application work, the baton where another thread can take it; True when the response is whole."""
        shared = self.shared
        self.state = RUNNING
        if self.away:
            whole = exchange.run() if first else exchange.advance()
            return bool(whole)
        baton = shared.baton
        # Earlier answers that were gathered come first: only without them may the monitor write
        baton.put(self, self.fd if first and self.out.size == 0 and self.wire.can_send_files else -1)
        exchange.baton = baton
        shared.calls += 1
        if shared.dozing:
            shared.monitor.wake()
        try:
            whole = exchange.run() if first else exchange.advance()
        finally:
            if baton.take() is not None:
                shared.calls += 1
            else:
                self.away = baton.lost = True
                shared.pool.await_taker()
            if baton.given_up:
                self.doomed = True
        return bool(whole)

    def _queue(self) -> None:
        """All threads are busy: have the request wait for one. What was read behind it waits with it."""
        if not self.shared.pool.has_room():
            raise HttpError(503, "the queue is full")
        self.state = RUNNING

    def run_alone(self) -> None:
        """Answer the request that was queued, on a thread that is not the loop's."""
        if self.out is None:
            self.out = type(self.shared.out)()
        try:
            self._respond()
            self._finish_turn()
        except ClientDisconnected:
            self.drop(self.blocked)
        except Exception as error:
            self.shared.loop.lose(self, error)

    def wait_for_client(self) -> None:
        """Block this thread until the client has read; the loop and the other threads go on without it.

        Raises:
            ClientDisconnected: it did not read in time.
        """
        self.shared.pool.wait_for_client(self)

    def step_aside(self) -> None:
        """Let others have the loop: this thread is busy for longer."""
        self.shared.pool.step_aside(self)

    def _end_response(self) -> bool:
        exchange = self.exchange
        self.exchange = None
        self.answered = True
        self.keep = exchange.keep_alive
        self._drop_body()
        self.state = IDLE
        if exchange.cut:
            self._cut(exchange)
            return False
        return self.keep and not self.away and (self.out.size < GATHERED or self.flush())

    def _cut(self, exchange: Any) -> None:
        """End a response that is not whole; without a length or chunks only a reset can tell.

        What the client has not taken yet is sent first: it may hold the whole answers of earlier requests.
        """
        if exchange.framed is BY_CLOSE:
            self.drop(True)
        elif self.flush():
            self.drop(False)
        else:
            self.keep = False
            self._begin_sending(LINGERING)

    def _begin_sending(self, then: str) -> None:
        self.state = SENDING
        self.then = then

    def _continue(self) -> None:
        """The client has read, or it is this response's turn again."""
        if self.exchange is None or self.then is BODY:
            if self.flush():
                self.state = self.then
        elif self._run(self.exchange, False):
            self._end_response()
        else:
            self.state = SENDING
        if self.state is SENDING:
            self._wait_to_send()
        elif self.state is LINGERING:
            self._linger()
        elif self.away:
            self._finish_turn()
        elif self.state is not CLOSED:
            self._work_on_rest()

    def _work_on_rest(self) -> None:
        inbox = self.shared.inbox
        inbox.fill(self.rest if self.keep and self.rest is not None else b"")
        self.rest = None
        if self.out is not None and self.out.size:
            self._settle(inbox)
        else:
            self._work(inbox)

    def flush(self) -> bool:
        """Send what the out-buffer holds; True when it is empty.

        Raises:
            ClientDisconnected: nobody reads it any more.
        """
        out = self.out
        before = out.size
        if before == 0:
            return True
        left = self.wire.send(self.fd, out)
        if left < 0 or self.doomed:
            raise ClientDisconnected("the client is gone")
        self.moved += before - left
        if left > 0 or self.blocked:
            self._note_pace(before > left, left > 0)
        return bool(left == 0)

    def can_send_files(self) -> bool:
        """Whether send_file() works on this connection."""
        return bool(self.wire.can_send_files)

    def send_file(self, file: int, offset: int, count: int) -> int:
        """Send up to *count* bytes of the open *file*: bytes sent, or -1 when the client must read first."""
        sent = self.wire.send_file(self.fd, file, offset, count)
        if sent < -1:
            raise ClientDisconnected("the client is gone")
        if sent > 0:
            self.moved += sent
        if sent < 0 or self.blocked:
            self._note_pace(sent > 0, sent < 0)
        return int(sent)

    def _note_pace(self, some: bool, blocked: bool) -> None:
        """Keep account of a client slow to read: *some* bytes left, the socket is *blocked* now.

        Only the time counts in which it had something to read.
        """
        shared = self.shared
        if blocked and not self.blocked:
            shared.loop.renew_time(shared)
            self.since = shared.now - self.waited
            self.taken = self.moved - self.wire.unsent(self.fd)
        elif self.blocked and not blocked:
            self.waited = shared.now - self.since
        if some or not self.blocked:
            self.deadline = shared.now + shared.write_timeout
        self.blocked = blocked


    # The end of a turn

    def _settle(self, inbox: Any) -> None:
        """Keep what was not used, and end the turn."""
        if self.state is CLOSED:
            return
        self.rest = inbox.take(inbox.available()) if inbox.available() else None
        self._finish_turn()

    def _finish_turn(self) -> None:
        """Send what was gathered, and say what is waited for; what comes then may be another thread's."""
        shared = self.shared
        if self.doomed:
            self.drop(True)
        if self.state is CLOSED:
            return
        if not self.keep and self.state is IDLE:
            self.wire.last = True
        if self.state is not SENDING and not self.flush() and self.state is not RUNNING:
            self._begin_sending(BODY if self.state is BODY else IDLE if self.keep else LINGERING)
        if self.out is shared.out and (self.state is SENDING or self.out.size):
            shared.out = type(self.out)()  # this one stays with us
        if self.state is SENDING:
            self._wait_to_send()
            return
        if self.state is RUNNING:
            self.out = self.out if self.out.size else None
            self.away = True
            shared.pool.queue(self)
            return
        self.out = None
        if shared.gateway.draining and shared.keep_alive <= 0.0 and self._is_between_requests():
            self.keep = False  # its last response may have begun before that could be said in it
        if not self.keep:
            if self.rest is not None or self.moved > GATHERED:  # the client sent more, or still reads and may do so
                self._linger()
            else:
                self.drop(False)
            return
        if self.state is IDLE:
            self.deadline = shared.now + shared.keep_alive
            if self.rest is not None:
                self._resume()
                return
        if self.state is BODY and self.body.paused:
            self._resume()
            return
        self._wait(READ)

    def _wait(self, event: str) -> None:
        if self.waits is not event:
            before, self.waits = self.waits, event
            self.shared.loop.watch(self, event, before)
        self.away = False

    def _wait_to_send(self) -> None:
        if self.blocked:
            self._wait(WRITE)
        else:
            self._resume()

    def _resume(self) -> None:
        """Have another turn, after the others."""
        self.away = True
        self.shared.loop.resume(self)

    # Refusals

    def _refuse(self, refusal: Any) -> None:
        """Answer with a constant text, without an echo of the input, and close such that it can be read."""
        shared = self.shared
        gateway = shared.gateway
        if self.exchange is not None:
            self.exchange.abandon()
            self.exchange = None
        self._drop_body()
        if self.out is None:
            self.out = shared.out
        status = f"{refusal.status} {reason_phrase(refusal.status)}"
        text = (f"{status}: {refusal.advice}\n" if refusal.advice else f"{status}\n").encode("latin-1")
        fields = [("Content-Type", "text/plain")]
        if refusal.status == 503:
            fields.append(("Retry-After", "1"))  # RFC 9110 10.2.3, in seconds
        self.out.begin(status, fields)
        self.out.finish(len(text), False, "close", gateway.server_line, gateway.date_line)
        self.out.add(text)
        if gateway.observer is not None:
            gateway.observer.request_refused(self, refusal)
        self.keep = False
        self.rest = None
        self.wire.last = True
        if self.flush():
            self._linger()
            return
        if self.out is shared.out:
            shared.out = type(self.out)()
        self._begin_sending(LINGERING)
        self._wait(WRITE)

    def _linger(self) -> None:
        """Close our side, read on for a while: a close with unread input would reset what we wrote (RFC 9112 9.6)."""
        shared = self.shared
        self.out = self.rest = None
        self.state = LINGERING
        self.deadline = shared.now + shared.linger_timeout
        self.moved = 0
        self.wire.finish(self.fd)
        self._wait(READ)

    def _discard(self) -> None:
        received = self.wire.receive(self.fd, self.shared.inbox, None)
        self.moved += max(received, 0)
        if received == 0 or received < -1 or self.moved > LINGERED:
            self.drop(False)
