cimport cython

from fastwsgi.http._baton_c cimport Baton
from fastwsgi.http._body_c cimport Body
from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._head_c cimport HeadParser
from fastwsgi.http._outbox_c cimport OutBuffer
from fastwsgi.http._shared_c cimport Shared
from fastwsgi.http._wire_c cimport Wire
from fastwsgi.http._wsgi_c cimport Exchange, Gateway


cdef str IDLE, HEAD, BODY, RUNNING, SENDING, LINGERING, CLOSED, READ, WRITE, BY_CLOSE
cdef int TURN
cdef Py_ssize_t WOULD_BLOCK, MUST_WRITE, REFUSED, NOT_TLS
cdef Py_ssize_t GATHERED, LINGERED
cdef double RATE_GRACE


@cython.final
cdef class Connection:
    cdef public Shared shared
    cdef public HeadParser parser
    cdef public Wire wire
    cdef public int fd
    cdef public str host, port, client, state, waits
    cdef public object describe
    cdef public bytes rest
    cdef OutBuffer out
    cdef Body body
    cdef public Exchange exchange
    cdef str then
    cdef public bint doomed
    cdef bint away, blocked, keep, answered
    cdef Py_ssize_t checked, examined
    cdef public int number
    cdef public double deadline
    cdef double since, waited
    cdef long long moved, taken

    @cython.locals(baton=Baton)
    cpdef bint on_ready(self) except -1
    cpdef bint on_turn(self) except -1
    cpdef bint is_idle(self) except -1
    cdef bint _is_between_requests(self) except -1
    cpdef bint is_late(self, double now) except -1
    @cython.locals(elapsed=cython.double)
    cdef bint _is_below_floor(self, double now, long long moved) except -1
    cpdef bint reads_too_slowly(self, double now) except -1
    @cython.locals(unsent=cython.Py_ssize_t, taken=cython.longlong)
    cdef bint _reads_on(self, double now, double more) except -1
    @cython.locals(baton=Baton, deadline=cython.double)
    cpdef bint on_deadline(self) except -1
    cpdef object drop(self, bint reset)
    cpdef object abort(self)
    @cython.locals(out=OutBuffer, gateway=Gateway)
    cpdef bint expire(self, Exchange exchange) except -1
    @cython.locals(inbox=Inbox, received=cython.Py_ssize_t)
    cdef object _receive(self)
    cdef object _meet(self, Py_ssize_t word)
    cdef object _end_of_input(self)
    @cython.locals(turn=cython.int)
    cdef object _work(self, Inbox inbox)
    @cython.locals(shared=Shared, parser=HeadParser, begin=cython.Py_ssize_t)
    cdef bint _serve_next(self, Inbox inbox) except -1
    cdef object _introduce(self, dict environ)
    @cython.locals(shared=Shared, pending=cython.Py_ssize_t)
    cdef object _wait_for_head(self, Inbox inbox)
    @cython.locals(shared=Shared, length=cython.longlong)
    cdef bint _begin_body(self, Inbox inbox, HeadParser parser) except -1
    @cython.locals(environ=dict)
    cdef object _end_body(self)
    cdef object _drop_body(self)
    @cython.locals(exchange=Exchange)
    cdef bint _respond(self) except -1
    @cython.locals(shared=Shared, baton=Baton, whole=cython.bint)
    cdef bint _run(self, Exchange exchange, bint first) except -1
    cdef object _queue(self)
    cpdef object run_alone(self)
    cpdef object wait_for_client(self)
    cpdef object step_aside(self)
    @cython.locals(exchange=Exchange)
    cdef bint _end_response(self) except -1
    cdef object _cut(self, Exchange exchange)
    cdef object _begin_sending(self, str then)
    cdef object _continue(self)
    @cython.locals(inbox=Inbox)
    cdef object _work_on_rest(self)
    @cython.locals(out=OutBuffer, before=cython.Py_ssize_t, left=cython.Py_ssize_t)
    cpdef bint flush(self) except -1
    cpdef bint can_send_files(self) except -1
    @cython.locals(sent=cython.Py_ssize_t)
    cpdef Py_ssize_t send_file(self, int file, long long offset, long long count) except -2
    @cython.locals(shared=Shared)
    cdef object _note_pace(self, bint some, bint blocked)
    cdef object _settle(self, Inbox inbox)
    @cython.locals(shared=Shared)
    cdef object _finish_turn(self)
    @cython.locals(before=str)
    cdef object _wait(self, str event)
    cdef object _wait_to_send(self)
    cdef object _resume(self)
    @cython.locals(shared=Shared, gateway=Gateway)
    cdef object _refuse(self, object refusal)
    @cython.locals(shared=Shared)
    cdef object _linger(self)
    @cython.locals(received=cython.Py_ssize_t)
    cdef object _discard(self)
