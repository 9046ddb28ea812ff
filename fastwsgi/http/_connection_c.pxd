cimport cython

from fastwsgi.http._exchange_c cimport Exchange as CExchange
from fastwsgi.http._head_c cimport HeadParser as CHeadParser
from fastwsgi.http._inbox_c cimport Inbox as CInbox
from fastwsgi.http._outbox_c cimport OutBuffer as COutBuffer
from fastwsgi.http._pace_c cimport Pace as CPace
from fastwsgi.http._request_reader_c cimport RequestReader as CRequestReader
from fastwsgi.http._service_c cimport Service as CService
from fastwsgi.http._turn_c cimport Turn as CTurn
from fastwsgi.http._wire_c cimport Wire as CWire


cdef str IDLE, HEAD, BODY, QUEUED, RUNNING, SENDING, INTERIM, ENDING, LINGERING, CLOSED, LOOP, TURN, ASIDE
cdef str READ, WRITE, BY_CLOSE
cdef int PIPELINED
cdef Py_ssize_t WOULD_BLOCK, MUST_WRITE, REFUSED, NOT_TLS
cdef Py_ssize_t GATHERED, LINGERED


@cython.final
cdef class Connection:
    cdef readonly CService service
    cdef readonly CRequestReader reader
    cdef readonly CWire wire
    cdef readonly CPace pace
    cdef readonly int fd
    cdef readonly str state, place, waits
    cdef public bint given_up
    cdef bytes rest
    cdef COutBuffer out
    cdef readonly CExchange exchange
    cdef bint answered
    cdef public int number

    cdef int _become(self, str event, str state) except -1
    cdef int _move(self, str event, str place) except -1
    @cython.locals(before=str)
    cpdef object set_aside(self)
    cpdef object wait_for_turn(self)
    @cython.locals(before=str)
    cdef int _wait(self, str event) except -1
    cdef int _wait_to_send(self) except -1
    cpdef object take_over(self, str waits, bytes rest)
    cpdef object on_ready(self)
    cpdef object on_turn(self)
    @cython.locals(turn=CTurn)
    cdef int _go_on(self, bint owed) except -1
    @cython.locals(turn=CTurn, deadline=cython.double)
    cpdef object on_deadline(self)
    @cython.locals(pace=CPace)
    cpdef bint is_late(self, double now) except -1
    cpdef bint reads_too_slowly(self, double now) except -1
    cpdef bint is_idle(self) except -1
    cpdef bint is_lingering(self) except -1
    cpdef double idle_since(self) except? -1
    cpdef object excuse(self, double seconds)
    cpdef object hurry(self, double until)
    cdef bint _is_between_requests(self) except -1
    cdef bint _is_sending(self) except -1
    cpdef object drop(self, bint reset)
    cpdef object abort(self)
    @cython.locals(out=COutBuffer)
    cpdef bint expire(self, CExchange exchange) except -1
    @cython.locals(inbox=CInbox, received=cython.Py_ssize_t)
    cdef int _receive(self) except -1
    cdef object _end_of_input(self)
    @cython.locals(inbox=CInbox)
    cdef object _work_on_rest(self)
    @cython.locals(served=cython.int)
    cdef object _work(self, CInbox inbox)
    @cython.locals(service=CService, reader=CRequestReader, head=CHeadParser, begin=cython.Py_ssize_t)
    cdef bint _serve_next(self, CInbox inbox) except -1
    cdef bint _begin_body(self, CInbox inbox) except -1
    @cython.locals(exchange=CExchange)
    cdef bint _go_on_with_body(self, CInbox inbox) except -1
    cdef int _queue(self) except -1
    cpdef object run_alone(self)
    @cython.locals(exchange=CExchange)
    cdef bint _respond(self) except -1
    @cython.locals(turn=CTurn)
    cdef bint _run(self, CExchange exchange, bint first) except -1
    cdef bint _end_response(self, CExchange exchange) except -1
    cdef object _cut(self, CExchange exchange)
    cdef object _go_on_with(self, CExchange exchange)
    cdef object _send_on(self)
    @cython.locals(out=COutBuffer, before=cython.Py_ssize_t, left=cython.Py_ssize_t)
    cpdef bint flush(self) except -1
    @cython.locals(sent=cython.Py_ssize_t)
    cpdef Py_ssize_t send_file(self, int file, long long offset, long long count) except -2
    @cython.locals(service=CService)
    cdef object _finish_turn(self)
    cdef int _hold_answers(self) except -1
    @cython.locals(service=CService)
    cdef object _await_client(self)
    @cython.locals(service=CService)
    cdef object _refuse(self, object refusal)
    cdef object _linger(self, str event)
    @cython.locals(received=cython.Py_ssize_t)
    cdef object _discard(self)
