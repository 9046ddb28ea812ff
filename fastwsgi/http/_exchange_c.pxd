cimport cython

# The modules: exchange.py imports these classes by name for the type checker
from fastwsgi.http cimport _connection_c, _head_c, _outbox_c, _service_c, _turn_c


cdef int OPEN, BEGUN, STARTED, DONE
cdef int SERVER, APPLICATION, CALL
cdef int NO_BODY, BY_LENGTH, BY_CHUNKS, BY_CLOSE
cdef long long GATHERED, WRITE_AHEAD, STRETCH
cdef int PIECES, PAUSES
cdef bint IS_PURE
cdef object END, GONE


@cython.final
cdef class Write:
    cdef Exchange exchange


@cython.final
cdef class Exchange:
    cdef public _connection_c.Connection connection
    cdef public _service_c.Service service
    cdef public _outbox_c.OutBuffer out
    cdef public dict environ
    cdef public bint is_head
    cdef public int version
    cdef public bint keep_alive
    cdef public int floor
    cdef public int stage, framed
    cdef public long long announced, sent
    cdef public double queued, started, idle, paused
    cdef public long long row
    cdef public bint settled, is_refused, is_faulty
    cdef public object note
    cdef public _turn_c.Turn turn
    cdef public bint cut, overrun, over, end_reported
    cdef public int code
    cdef readonly object route
    cdef object result, iterator, stretch, instead
    cdef public object ahead
    cdef public list pieces
    cdef public long long left
    cdef bint bound

    @cython.locals(exchange=Exchange)
    cdef Exchange of(self, _connection_c.Connection connection, _outbox_c.OutBuffer out, _head_c.HeadParser head)
    cdef int begin(self, _connection_c.Connection connection, _outbox_c.OutBuffer out, _head_c.HeadParser head) except -1
    cdef int _begin_empty(self) except -1
    @cython.locals(write=Write)
    cdef Write _new_write(self)
    @cython.locals(taken=cython.bint)
    cdef int enter(self) except -1
    @cython.locals(out=_outbox_c.OutBuffer)
    cdef int _begin_head(self, status, headers) except -1
    cdef object _look_for_file(self, status, headers)
    cdef int _give_floor(self) except -1
    cdef int _take_back(self) except -1
    cdef object _leave_child(self)
    cdef object _await_call(self)
    cdef int leave(self) except -1
    cpdef bint is_whole(self) except -1
    cpdef bint is_in_application(self) except -1
    cpdef bint is_held_back(self) except -1
    cdef bint has_result(self) except -1
    cpdef bint is_answered(self) except -1
    cdef int stop_if_given_up(self) except -1
    cpdef object replace(self, answer)
    @cython.locals(is_answered=cython.bint)
    cpdef bint go_on(self, bint first) except -1
    cdef bint _call(self) except -1
    cpdef object abandon(self)
    cpdef object write(self, data)
    cdef object _write(self, bytes data)
    @cython.locals(total=cython.longlong)
    cdef bint _put_all(self, object pieces) except -1
    @cython.locals(pieces=cython.int)
    cdef bint _produce(self) except -1
    cdef object _put_next(self)
    cdef object _end_iterator(self)
    cpdef object leave_out_rest(self)
    cdef bint _end(self) except -1
    cdef bint _fail(self, object error) except -1
    cdef object _answer_failure(self, object error)
    cdef object _finish(self)
    cpdef int report_end(self) except -1
    cdef object _complain(self, str message, object error=*)
    @cython.locals(out=_outbox_c.OutBuffer, service=_service_c.Service, length=cython.longlong, before=cython.Py_ssize_t, connection=str)
    cdef int _start(self, long long known) except -1
    @cython.locals(data=bytes)
    cdef Py_ssize_t _size_of(self, object piece) except -1
    cpdef object put(self, _outbox_c.OutBuffer out, bytes piece)
    cdef object _send_instead(self, instead)
    cdef bint _send_file(self, given) except -1
    @cython.locals(count=cython.longlong, sent=cython.longlong)
    cdef bint _send_stretch(self, stretch) except -1
