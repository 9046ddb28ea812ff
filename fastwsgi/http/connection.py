"""One client connection, which moves through the states of states.py.

A connection owns no socket and no clock. The loop calls on_ready() when what its state waits for has happened and
on_deadline() when that takes too long; a Wire moves the bytes; what the connections of one loop share is the Service.
Requests that arrived together are answered together: their answers gather in the out-buffer and leave in one write.

While the application runs, another thread may take over the loop. The thread left behind ends its turn alone, with the
buffers that it has, and gives the connection back by asking the loop to watch it. Until then the connection is
detached: the loop neither watches nor counts it. The thread left behind learns of its loss by LoopLost, which ends the
call that the loop made to the connection.

This file is longer than others because it is one state machine, and Cython compiles a class from one text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastwsgi.http import answers
from fastwsgi.http.errors import NO_ROOM, QUEUE_IS_FULL, ClientDisconnected, HttpError, LoopLost, SpoolError
from fastwsgi.http.grammar import BY_CLOSE
from fastwsgi.http.refused import count_refusal, request_of
from fastwsgi.http.states import (
    BODY,
    CLOSED,
    DETACHED,
    ENDING,
    HEAD,
    IDLE,
    INTERIM,
    LINGERING,
    LOOP,
    OWED,
    QUEUED,
    RUNNING,
    SENDING,
    follows,
    moves,
)
from fastwsgi.http.transport import LOST, MUST_WRITE, NOT_TLS, REFUSED, WOULD_BLOCK
from fastwsgi.http.waits import leave_queue
from fastwsgi.http.write_ahead import spool

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox
    from fastwsgi.http._outbox_py import OutBuffer
    from fastwsgi.http._wire_py import Wire
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.http.pace import Pace
    from fastwsgi.http.request_reader import RequestReader
    from fastwsgi.http.service import Service

# What the loop watches for
READ = "read"
WRITE = "write"

PIPELINED = 64  # requests before other connections get their turn
GATHERED = 65536  # bytes of pipelined answers before they are sent
LINGERED = 1048576  # bytes read and dropped from a client that was refused
SPOOLED = 1048576  # bytes that go to a temporary file in one turn
NO_BUFFER: Any = None  # between turns, when all is sent
NOT_OPEN: Any = None  # what a presence has for a closed connection


class Connection:
    """The server's side of one connection.

    Attributes:
        given_up: the thread that serves it is to drop it; other threads set this.
        number: assigned by the trace.

    Args:
        service: what the connections of this loop share.
        reader: reads its requests.
        wire: the transport.
        pace: the account of the client.
        fd: the connected socket.
    """

    def __init__(self, service: Service, reader: RequestReader, wire: Wire, pace: Pace, fd: int) -> None:
        self.service = service
        self.reader = reader
        self.wire = wire
        self.pace = pace
        self.fd = fd
        self.state = HEAD
        self.place = LOOP
        self.waits = ""  # what the loop watches for: "read", "write" or nothing yet
        self.given_up = False
        self.rest: bytes | None = None  # received bytes not used yet, kept while other connections use the inbox
        self.out: OutBuffer = NO_BUFFER  # the turn's, or our own while bytes are left in it
        self.exchange: Exchange | None = None  # the one whose response is not whole yet
        self.answered = False  # at least one request was answered
        self.number = 0
        self.presence = self.service.presence.of(self)
        self.charged = 0  # bytes, in the account of what clients make us hold

    @property
    def host(self) -> str:
        """The client's address, or that of a proxy which does not report the client's in a PROXY header."""
        return self.reader.host

    # States and places

    def _become(self, event: str, state: str) -> None:
        assert follows(self.state, event, state), f"{event!r} does not lead from {self.state} to {state}"
        self.state = state

    def _move(self, event: str, place: str) -> None:
        assert moves(self.place, event, place), f"{event!r} does not lead from {self.place} to {place}"
        self.place = place

    def detach(self) -> None:
        """Withdraw it from the loop: from now on one thread serves it alone, or it waits for a thread that will."""
        before, self.waits = self.waits, ""
        self.service.loop.unwatch(self, before)
        self._move("detach", DETACHED)
        self.settle()

    def wait_for_turn(self) -> None:
        """Continue after the other connections have had their turns."""
        self.settle()
        self._move("go on later", OWED)
        self.service.loop.go_on_later(self)

    def _wait(self, event: str) -> None:
        """Let the loop watch for *event*, which another thread may then handle."""
        if self.charged != 0 or self._may_hold():
            self.settle()
        if self.waits is not event:
            before, self.waits = self.waits, event
            self.service.loop.watch(self, event, before)
        self._move("watch", LOOP)

    def _wait_to_send(self) -> None:
        self.spool_if_short()
        if self.pace.blocked:
            self._wait(WRITE)
        else:
            self.wait_for_turn()

    # What the loop calls; see server/interfaces.py

    def take_over(self, waits: str, rest: bytes | None) -> None:
        """Take the place of a preamble that waited for *waits* and has received *rest*."""
        self.waits = waits
        self.rest = rest

    def on_ready(self) -> None:
        """Handle what the state waited for. Raises LoopLost."""
        if self.place is LOOP:
            self._go_on(False)

    def on_turn(self) -> None:
        """Take the turn that it was owed. Raises LoopLost."""
        self._move("its turn", LOOP)
        self._go_on(True)

    def _go_on(self, owed: bool) -> None:
        turn = self.service.turn
        try:
            if self.state is IDLE or self.state is HEAD or self.state is BODY:
                if owed and self.state is not HEAD:
                    self._work_on_rest()
                else:
                    self._receive()
            elif self.state is SENDING and self.exchange is not None:
                self._go_on_with(self.exchange)
            elif self.state is QUEUED:
                self._leave_queue()
            elif self.state is LINGERING:
                self._discard()
            elif self.state is not CLOSED:
                self._send_on()
        except ClientDisconnected:
            self.drop(self.pace.blocked or self.presence.may_read)
        except Exception as error:
            self.service.loop.fail(self, error)
        if turn.lost:
            raise LoopLost

    def on_deadline(self) -> None:
        """Answer 408 if a request is under way or none was ever answered (RFC 9110 15.5.9), else close.

        An idle connection may have received a request this very moment: it is closed only if there is nothing to read.
        Raises LoopLost.
        """
        turn = self.service.turn
        deadline = self.pace.deadline
        try:
            if self.wire.cannot_answer:
                self.drop(False)
            elif self.state is BODY or (self.state is HEAD and not (self.answered and self.is_idle())):
                self._refuse(HttpError(408, "deadline"))
            else:
                if self.state is IDLE:
                    self._receive()
                if self.pace.deadline == deadline and not turn.lost:
                    self.drop(self._is_sending())
        except ClientDisconnected:
            self.drop(False)
        except Exception as error:
            self.service.loop.fail(self, error)
        if turn.lost:
            raise LoopLost

    def look(self, now: float) -> bool:
        """is_late(), once a second; an idle client is to cost little, so nothing is kept for its next request."""
        if self.state is IDLE and self.place is LOOP:
            self.reader.rest()
        return self.is_late(now)

    def is_late(self, now: float) -> bool:
        """Whether the deadline has passed, or bytes move slower than the floor; *now* is on the loop's clock."""
        pace = self.pace
        if self.place is not LOOP:
            return False
        if self._is_sending():
            return pace.blocked and self.reads_too_slowly(now)
        if self.state is BODY:
            return pace.sends_too_slowly(now)
        if pace.left(now) > 0.0:
            return False
        return self.state is not IDLE or not pace.note_read(now, self.wire.unsent(self.fd), self.service.keep_alive)

    def reads_too_slowly(self, now: float) -> bool:
        """Whether a client that does not take its response has passed the deadline or the floor."""
        return self.pace.reads_too_slowly(now, self.wire.unsent(self.fd))

    def is_idle(self) -> bool:
        """Whether no part of an unanswered request has been read; empty lines before a request do not count."""
        return self.place is LOOP and self._is_between_requests()

    def is_lingering(self) -> bool:
        """Whether its last response is sent, so that there is nothing left to wait for."""
        return self.state is LINGERING

    def idle_since(self) -> float:
        """When it became idle, on the loop's clock; infinity if it is not. Lingering counts as idle."""
        if self.state is LINGERING:
            return self.pace.began(self.service.linger_timeout)
        if not self.is_idle():
            return float("inf")
        return self.pace.began(self.service.keep_alive) if self.state is IDLE else self.pace.silent_since()

    def excuse(self, seconds: float) -> None:
        """Give an idle client the *seconds* for which the loop was held up and could not read from it."""
        if self.state is IDLE:
            self.pace.excuse(seconds)

    def hurry(self, until: float) -> None:
        """At a stop, keep it until *until* at most if it is idle; drop it now if idle connections get no time."""
        if self.is_idle():
            self.pace.hurry(until)
            if self.service.keep_alive <= 0.0:
                self.drop(False)

    def _is_between_requests(self) -> bool:
        if (self.state is not IDLE and self.state is not HEAD) or self.wire.handshaking:
            return False
        return self.rest is None or not self.rest.strip(b"\r\n")

    def _is_sending(self) -> bool:
        return self.state is SENDING or self.state is ENDING or self.state is INTERIM

    # What it holds; see server/holdings.py

    def settle(self) -> None:
        """Have the account charge what is held now, before others get their turn."""
        held = self._held()
        if held != self.charged:
            self.service.holdings.settle(self, held)

    def _may_hold(self) -> bool:
        """Whether it may hold something, as TLS does. Most hold nothing between two requests, and cost no account."""
        return self.state is not IDLE or self.rest is not None or self.out is not None or not self.wire.can_send_files

    def _held(self) -> int:
        """Bytes that it holds."""
        held = self.reader.held() + self.wire.weight()
        if self.rest is not None:
            held += len(self.rest)
        if self.out is not None and (self.pace.blocked or self.state is not RUNNING):
            held += self.out.size
            if self.exchange is not None:
                held += self.exchange.left
        return held

    def burden(self, now: float) -> float:
        """What it holds, times the seconds for which that has not moved; 0 if the loop cannot change it."""
        if self.place is not LOOP or self.charged == 0:
            return 0.0
        service = self.service
        allowed = service.header_timeout
        if self.state is BODY:
            allowed = service.body_timeout
        elif self.state is IDLE:
            allowed = service.keep_alive
        elif self._is_sending():
            allowed = service.write_timeout
        return self.charged * max(1.0, 1.0 + now - self.pace.began(allowed))

    def spool_if_short(self) -> None:
        """Have a response that waits for the client wait in a temporary file, where memory is short."""
        holdings = self.service.holdings
        if self.pace.blocked and self.exchange is not None:
            held = self._held()
            if holdings.is_short or not holdings.has_room(held - self.charged):
                self._spool(SPOOLED if holdings.has_room(held - self.charged) else held)

    def _spool(self, most: int) -> bool:
        """Have up to *most* bytes wait in a temporary file instead; False if none can, or there is no room."""
        try:
            if self.state is BODY:
                moved = self.reader.spool_body()
            else:
                moved = self.exchange is not None and spool(self.exchange, most)
        except SpoolError:
            return False
        self.settle()
        return moved

    def relieve(self) -> bool:
        """Have some of what is held wait in a temporary file instead; False if nothing can, or there is no room."""
        return self.place is LOOP and self._spool(SPOOLED)

    def end_for_room(self) -> None:
        """End the connection, as it holds too much."""
        if self.place is not LOOP:
            return
        try:
            if self.wire.cannot_answer or self.is_idle():
                self.drop(False)
            elif self.state is HEAD or self.state is IDLE or self.state is BODY:
                self._refuse(HttpError(408, NO_ROOM))
            else:
                self.service.loop.report_refusal(self.host, NO_ROOM)
                self.drop(self._is_sending())
        except ClientDisconnected:
            self.drop(False)
        except Exception as error:
            self.service.loop.fail(self, error)

    # Ending it

    def drop(self, reset: bool) -> None:
        """End the connection now; *reset* shows the client that its response is not whole."""
        if self.state is CLOSED:
            return
        if self.service.kept and self._leave_to_thread():
            self.given_up = True
            return
        self._become("close", CLOSED)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.abandon()
        self.reader.drop_request()
        if self.out is not None and self.out.size:
            self.service.turn.part_with(self.out)
        self.out = NO_BUFFER
        self.rest = None
        self.service.loop.forget(self)
        self.presence.connection = NOT_OPEN  # before the descriptor can be another's; breaks the cycle, too
        self.wire.close(self.fd, reset)
        self.settle()

    def abort(self) -> None:
        """End the connection now, or as soon as the thread that serves it, or the turn it is owed, can do so."""
        if self.place is not LOOP or self.state is RUNNING:
            self.given_up = True
        else:
            self.drop(self._is_sending())

    def disown(self, has_thread: bool) -> None:
        """In a forked child, leave everything to the parent: nothing can be sent any more.

        Args:
            has_thread: its application call runs in the thread that has forked, and may go on to read its body.
        """
        self.given_up = True
        if self.exchange is not None and self.exchange.ahead is not None:
            self.exchange.ahead.disown()
        if self.reader.body is not None and not has_thread:
            self.reader.body.disown()

    def expire(self, exchange: Exchange) -> bool:
        """Answer 504 for *exchange*, whose application call in another thread is past its deadline, or cut the response
        if its head may be on its way. False if the call has ended this moment.

        The caller keeps the call from ending meanwhile, so the connection stays open. The thread of the call may do
        anything else: it says what it does before it reads *given_up*, and here it is the other way round. If it is not
        in the application, it sees that soon, and is left to report the end, as it counts what it sends.
        """
        if self.exchange is not exchange or self.state is not RUNNING or exchange.over:
            return False
        self.given_up = True
        runs = exchange.is_in_application()
        answered = exchange.is_answered() or (runs and exchange.is_held_back() and self._answer_expired(exchange))
        if runs:
            exchange.report_end()
        if exchange.is_whole():
            self.wire.finish(self.fd)
        elif not answered:
            self.wire.cut(self.fd)  # the thread of the call finds out by itself
        return True

    def _answer_expired(self, exchange: Exchange) -> bool:
        """Send 504 behind the answers gathered earlier; False if the client must read before it takes that much."""
        if self.wire.send(self.fd, self.out) != 0:
            return False
        out = type(self.out)()
        answers.put(out, answers.EXPIRED, self.service.server_line, self.service.date_line, exchange.is_head)
        exchange.replace(answers.EXPIRED)
        if self.wire.send(self.fd, out) != 0:
            return False
        self.wire.finish(self.fd)
        return True

    def await_expiry(self) -> None:
        """Wait until another thread that may be in expire() has come out of it."""
        if self.service.pool is not None:
            self.service.pool.await_watchdog()

    # Receiving

    def _receive(self) -> None:
        inbox = self.service.turn.inbox
        if self.state is BODY:
            received = self.reader.receive(self.wire, self.fd, inbox, self.rest)
        else:
            received = self.wire.receive(self.fd, inbox, self.rest)
        if received > 0:
            self.rest = None
            if self.state is BODY:
                self.pace.moved += received
            self._work(inbox)
        elif received == 0:
            self._end_of_input()
        elif received == WOULD_BLOCK:
            self._wait(READ)
        elif received == MUST_WRITE:
            self._wait(WRITE)
        elif received == REFUSED:
            self._linger("refused by the transport")
        elif received == NOT_TLS:
            self._refuse(HttpError(400, "plain HTTP on a TLS port", "this port speaks TLS: use https://"))
        else:
            self.drop(False)

    def _end_of_input(self) -> None:
        """Handle the end of the client's data: between requests it ends the connection, inside one it is an error."""
        if self.is_idle():
            self.drop(False)
        else:
            self._refuse(HttpError(400, "the request ends early"))

    def _work_on_rest(self) -> None:
        """Serve what was received earlier, once nothing remains to be sent first."""
        if self.state is ENDING or (self.out is not None and self.out.size):
            self._finish_turn()
            return
        inbox = self.service.turn.inbox
        inbox.fill(self.rest or b"")
        self.rest = None
        self._work(inbox)

    def _work(self, inbox: Inbox) -> None:
        """Serve the requests in *inbox* and end the turn."""
        self.out = self.service.turn.out
        try:
            served = 0
            while served < PIPELINED and self._serve_next(inbox):
                served += 1
        except HttpError as refusal:
            if self.exchange is None:
                self.rest = self.reader.begun(inbox)
            self._refuse(refusal)
            return
        if self.state is not CLOSED:
            self.rest = inbox.take(inbox.available()) if inbox.available() else None
            self._finish_turn()

    def _serve_next(self, inbox: Inbox) -> bool:
        """Take one request from *inbox* and answer it; False when the turn is over."""
        service = self.service
        reader = self.reader
        if self.state is BODY:
            if not self._go_on_with_body(inbox):
                return False
        elif inbox.available() == 0:
            return False
        elif not reader.read_head(inbox, self.presence):
            if self.state is IDLE:
                self._become("part of a head", HEAD)
                self.pace.await_head()
            return False
        else:
            head = reader.parser
            self.exchange = service.new_exchange.of(self, self.out, head)
            if self.exchange.route is None:
                service.served += 1
                if service.served == service.quota:
                    service.quota_reached()
            if service.request_started is not None:
                service.request_started(self, self.exchange, inbox.since(reader.begin))
            if head.body_length != 0 and not self._begin_body(inbox, self.exchange.environ):
                return False
        if service.full and self.exchange is not None and self.exchange.route is None:
            self._queue()
            return False
        return self._respond()

    def _begin_body(self, inbox: Inbox, environ: dict[str, Any]) -> bool:
        """Start to read the body; True if it has already arrived."""
        if self.reader.take_body(inbox, environ, self.service):
            return True
        self.pace.begin_body(inbox.available())
        if self.reader.begin_body(inbox, environ, self.service):
            return True
        self._become("head before a body", BODY)
        if self.reader.awaits_continue():
            self.out.add(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    def _go_on_with_body(self, inbox: Inbox) -> bool:
        """Read more of the body; True when it is whole."""
        exchange = self.exchange
        assert exchange is not None
        if self.reader.read_body(inbox, exchange.environ):
            exchange.idle = self.service.now - exchange.started
            return True
        self.pace.go_on_with_body()
        return False

    # Responding

    def _queue(self) -> None:
        """Have the request wait for a thread, as all are busy. What was read behind it waits with it."""
        if not self.service.pool.has_room():
            raise HttpError(503, QUEUE_IS_FULL)
        self._become("no thread free", QUEUED)

    def _leave_queue(self) -> None:
        """Answer the request that was queued, in a turn of the loop, or queue again."""
        if not self.service.kept:
            if self.out is None:
                self.out = self.service.turn.out
            if self.exchange is not None:
                leave_queue(self.service.meter, self.exchange)
            self._respond()
        self._finish_turn()

    def _leave_to_thread(self) -> bool:
        """Go on once the application's thread has the loop again, if something of the application's is left here."""
        if self.place is not LOOP or self.exchange is None or not self.exchange.has_result():
            return False
        self.detach()
        self.service.pool.queue(self)
        return True

    def run_alone(self) -> None:
        """Answer the request that was queued, on a thread that does not have the loop."""
        if self.out is None:
            self.out = type(self.service.turn.out)()
        try:
            self._respond()
            self._finish_turn()
        except ClientDisconnected:
            self.drop(self.pace.blocked or self.presence.may_read)
        except Exception as error:
            self.service.loop.fail(self, error)

    def _respond(self) -> bool:
        """Call the application; True when its response is whole and another request may be served now."""
        exchange = self.exchange
        assert exchange is not None
        exchange.out = self.out  # not the buffer of the turn in which the head arrived
        if self.service.note is not None:
            exchange.note = self.service.note(exchange.environ)
        self.pace.begin_response()
        if not self._run(exchange, True):
            self._become("pause", SENDING)
            return False
        return self._end_response(exchange)

    def _run(self, exchange: Exchange, first: bool) -> bool:
        """Let the application run; another thread can take the loop meanwhile. True when the response is whole."""
        self._become("call", RUNNING)
        if self.place is DETACHED:
            exchange.turn = None  # it may have had one before
            try:
                return exchange.go_on(first)
            finally:
                self.service.pool.await_taker()
        if exchange.route is not None:
            return exchange.go_on(first)  # it returns at once: the loop stays here
        turn = self.service.turn
        exchange.turn = turn
        # Answers gathered earlier must be sent first: the monitor may write only if there are none
        turn.begin_call(self, self.fd if first and self.out.size == 0 and self.wire.can_send_files else -1)
        try:
            return exchange.go_on(first)
        finally:
            if not turn.end_call():
                self.service.pool.await_taker()  # and by now the connection is detached
            if turn.given_up:
                self.given_up = True

    def _end_response(self, exchange: Exchange) -> bool:
        """Finish a whole response; True when another request may be served now."""
        self.exchange = None
        self.answered = True
        self.reader.drop_request()
        if exchange.cut:
            self._cut(exchange)
            return False
        if not exchange.keep_alive:
            self._become("last", ENDING)
            return False
        self._become("end", IDLE)
        return self.place is LOOP and (self.out.size < GATHERED or self.flush())

    def _cut(self, exchange: Exchange) -> None:
        """End a response that is not whole; without a length or chunks, only a reset shows that.

        What the client has not taken yet is sent first: it may hold the whole answers of earlier requests.
        """
        if exchange.framed == BY_CLOSE:
            self.drop(True)
        elif self.flush():
            self.drop(False)
        else:
            self._become("last", ENDING)

    def _go_on_with(self, exchange: Exchange) -> None:
        """Continue a response after the client has read, or when its turn has come again."""
        if self.service.kept and self._leave_to_thread():
            return
        if not self._run(exchange, False):
            self._become("pause", SENDING)
            self._wait_to_send()
            return
        self._end_response(exchange)
        if self.place is DETACHED:
            self._finish_turn()
        elif self.state is not CLOSED:
            self._work_on_rest()

    # Sending

    def _send_on(self) -> None:
        """Send more of the gathered answers after the client has read."""
        if not self.flush():
            self._wait_to_send()
        elif self.state is ENDING:
            self._linger("sent")
        else:
            self._become("sent", IDLE if self.state is SENDING else BODY)
            self._work_on_rest()

    def flush(self) -> bool:
        """Send what the out-buffer holds; True when it is empty.

        Raises:
            ClientDisconnected: the client is gone, or was given up.
        """
        out = self.out
        before = 0 if out is None else out.size
        if before == 0:
            return True
        if self.given_up:
            raise ClientDisconnected("it was given up")
        left = LOST
        try:
            left = self.wire.send(self.fd, out)
        finally:
            if left < 0:  # also after an error: what was sent then is not known, and must not be sent twice
                self.given_up = True
        if left < 0:
            raise ClientDisconnected("the client is gone")
        self.pace.moved += before - left
        if left > 0 or self.pace.blocked:
            self.pace.note_sent(before - left, left > 0, self.wire.unsent(self.fd))
        return left == 0

    def send_file(self, file: int, offset: int, count: int) -> int:
        """Send up to *count* bytes of the open *file*: bytes sent, or -1 when the client must read first."""
        if self.given_up:
            raise ClientDisconnected("it was given up")
        sent = self.wire.send_file(self.fd, file, offset, count)
        if sent < -1:
            self.given_up = True
            raise ClientDisconnected("the client is gone")
        if sent > 0:
            self.pace.moved += sent
        if sent < 0 or self.pace.blocked:
            self.pace.note_sent(max(sent, 0), sent < 0, self.wire.unsent(self.fd))
        return sent

    def _finish_turn(self) -> None:
        """Send what was gathered, and set what to wait for; another thread may handle what comes then."""
        service = self.service
        if self.given_up:
            self.drop(True)
        if self.state is CLOSED:
            return
        if self.state is ENDING:
            self.wire.last = True
        if self.state is not SENDING:
            self._flush_answers()
        if self.state is SENDING or (self.out is not None and self.out.size):
            service.turn.part_with(self.out)
        else:
            self.out = NO_BUFFER
        if self.state is QUEUED:
            self.detach()
            service.pool.queue(self)
        elif self.out is not None:
            self._wait_to_send()
        else:
            self._await_client()

    def _flush_answers(self) -> None:
        """Send the gathered answers; the state says what comes next if the client must read first."""
        if self.flush():
            return
        if self.state is IDLE or self.state is HEAD:
            self._become("blocked", SENDING)
        elif self.state is BODY:
            self._become("blocked", INTERIM)

    def _await_client(self) -> None:
        """Wait for the client, now that all is sent."""
        service = self.service
        if service.draining and service.keep_alive <= 0.0 and self._is_between_requests():
            self._become("last", ENDING)  # its last response may have begun too early to say so
        if self.state is ENDING:
            if self.rest is not None or self.pace.moved > GATHERED:  # the client sent more, or still reads and may
                self._linger("sent")
            else:
                self.drop(False)
            return
        if self.state is IDLE:
            self.pace.await_request()
        if (self.state is IDLE and self.rest is not None) or self.reader.is_paused():
            self.wait_for_turn()
        else:
            self._wait(READ)

    # Refusals

    def _refuse(self, refusal: HttpError) -> None:
        """Answer with a constant text, without an echo of the input, and close so that the client can read it."""
        service = self.service
        if service.observer is not None:
            refusal.request = request_of(self.exchange, self.reader, self.rest)
        count_refusal(service.meter, refusal)
        if self.exchange is not None:
            self.exchange.is_refused = True
            self.exchange.abandon()
            self.exchange = None
        self.reader.drop_request()
        if self.out is None:
            self.out = service.turn.out
        answer = answers.refusal(refusal)
        answers.put(self.out, answer, service.server_line, service.date_line)
        if service.observer is not None:
            refusal.sent = len(answer.body)
            service.observer.request_refused(self, refusal)
        self._become("refused", ENDING)
        self.rest = None
        self.wire.last = True
        if self.flush():
            self._linger("sent")
        else:
            service.turn.part_with(self.out)
            self._wait(WRITE)

    def _linger(self, event: str) -> None:
        """Close our side and read for a while: closing with unread input would reset what we sent (RFC 9112 9.6)."""
        self.out = NO_BUFFER
        self.rest = None
        self._become(event, LINGERING)
        self.pace.await_close()
        self.wire.finish(self.fd)
        self._wait(READ)

    def _discard(self) -> None:
        received = self.wire.receive(self.fd, self.service.turn.inbox, None)
        self.pace.moved += max(received, 0)
        if received == 0 or received < -1 or self.pace.moved > LINGERED:
            self.drop(False)
