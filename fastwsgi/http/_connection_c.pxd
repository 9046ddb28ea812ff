cimport cython

# The modules: connection.py imports these classes by name for the type checker
from fastwsgi.http cimport (
    _exchange_c,
    _head_c,
    _inbox_c,
    _outbox_c,
    _pace_c,
    _presence_c,
    _request_reader_c,
    _service_c,
    _turn_c,
    _wire_c,
)


cdef str IDLE, HEAD, BODY, QUEUED, RUNNING, SENDING, INTERIM, ENDING, LINGERING, CLOSED, LOOP, OWED, DETACHED
cdef str READ, WRITE
cdef int PIPELINED, BY_CLOSE
cdef Py_ssize_t WOULD_BLOCK, LOST, MUST_WRITE, REFUSED, NOT_TLS
cdef Py_ssize_t GATHERED, LINGERED, SPOOLED


@cython.final
cdef class Connection:
    cdef readonly _service_c.Service service
    cdef readonly _request_reader_c.RequestReader reader
    cdef readonly _wire_c.Wire wire
    cdef readonly _pace_c.Pace pace
    cdef readonly int fd
    cdef readonly str state, place, waits
    cdef public bint given_up
    cdef bytes rest
    cdef _outbox_c.OutBuffer out
    cdef readonly _exchange_c.Exchange exchange
    cdef readonly bint answered
    cdef public int number
    cdef readonly _presence_c.Presence presence
    cdef public Py_ssize_t charged

    cdef int _become(self, str event, str state) except -1
    cdef int _move(self, str event, str place) except -1
    @cython.locals(before=str)
    cpdef object detach(self)
    cpdef object wait_for_turn(self)
    @cython.locals(before=str)
    cdef int _wait(self, str event) except -1
    cdef int _wait_to_send(self) except -1
    cpdef object take_over(self, str waits, bytes rest)
    cpdef object on_ready(self)
    cpdef object on_turn(self)
    @cython.locals(turn=_turn_c.Turn)
    cdef int _go_on(self, bint owed) except -1
    @cython.locals(turn=_turn_c.Turn, deadline=cython.double)
    cpdef object on_deadline(self)
    @cython.locals(pace=_pace_c.Pace)
    cpdef bint look(self, double now) except -1
    cpdef bint is_late(self, double now) except -1
    cpdef bint reads_too_slowly(self, double now) except -1
    cpdef bint is_idle(self) except -1
    cpdef bint is_lingering(self) except -1
    cpdef double idle_since(self) except? -1
    cpdef object excuse(self, double seconds)
    cpdef object hurry(self, double until)
    cdef bint _is_between_requests(self) except -1
    cdef bint _is_sending(self) except -1
    @cython.locals(held=cython.Py_ssize_t)
    cpdef object settle(self)
    cdef bint _may_hold(self) except -1
    cdef Py_ssize_t _held(self) except -1
    @cython.locals(service=_service_c.Service, allowed=cython.double)
    cpdef double burden(self, double now) except? -1
    @cython.locals(held=cython.Py_ssize_t)
    cpdef object spool_if_short(self)
    @cython.locals(moved=cython.bint)
    cdef bint _spool(self, long long most) except -1
    cpdef bint relieve(self) except -1
    cpdef object end_for_room(self)
    cpdef object drop(self, bint reset)
    cpdef object abort(self)
    cpdef object disown(self, bint has_thread)
    cpdef bint expire(self, _exchange_c.Exchange exchange) except -1
    @cython.locals(out=_outbox_c.OutBuffer)
    cdef bint _answer_expired(self, _exchange_c.Exchange exchange) except -1
    cpdef object await_expiry(self)
    @cython.locals(inbox=_inbox_c.Inbox, received=cython.Py_ssize_t)
    cdef int _receive(self) except -1
    cdef object _end_of_input(self)
    @cython.locals(inbox=_inbox_c.Inbox)
    cdef object _work_on_rest(self)
    @cython.locals(served=cython.int)
    cdef object _work(self, _inbox_c.Inbox inbox)
    @cython.locals(service=_service_c.Service, reader=_request_reader_c.RequestReader, head=_head_c.HeadParser)
    cdef bint _serve_next(self, _inbox_c.Inbox inbox) except -1
    cdef bint _begin_body(self, _inbox_c.Inbox inbox, dict environ) except -1
    @cython.locals(exchange=_exchange_c.Exchange)
    cdef bint _go_on_with_body(self, _inbox_c.Inbox inbox) except -1
    cdef int _queue(self) except -1
    cdef object _leave_queue(self)
    cdef bint _leave_to_thread(self) except -1
    cpdef object run_alone(self)
    @cython.locals(exchange=_exchange_c.Exchange)
    cdef bint _respond(self) except -1
    @cython.locals(turn=_turn_c.Turn)
    cdef bint _run(self, _exchange_c.Exchange exchange, bint first) except -1
    cdef bint _end_response(self, _exchange_c.Exchange exchange) except -1
    cdef object _cut(self, _exchange_c.Exchange exchange)
    cdef object _go_on_with(self, _exchange_c.Exchange exchange)
    cdef object _send_on(self)
    @cython.locals(out=_outbox_c.OutBuffer, before=cython.Py_ssize_t, left=cython.Py_ssize_t)
    cpdef bint flush(self) except -1
    @cython.locals(sent=cython.Py_ssize_t)
    cpdef Py_ssize_t send_file(self, int file, long long offset, long long count) except -2
    @cython.locals(service=_service_c.Service)
    cdef object _finish_turn(self)
    cdef object _flush_answers(self)
    @cython.locals(service=_service_c.Service)
    cdef object _await_client(self)
    @cython.locals(service=_service_c.Service)
    cdef object _refuse(self, object refusal)
    cdef object _linger(self, str event)
    @cython.locals(received=cython.Py_ssize_t)
    cdef object _discard(self)
