cimport cython

from fastwsgi.http._connection_c cimport Connection
from fastwsgi.http._baton_c cimport Baton
from fastwsgi.http._framing_c cimport Framing
from fastwsgi.http._outbox_c cimport OutBuffer


cdef str OPEN, BEGUN, STARTED, DONE
cdef str NO_BODY, BY_LENGTH, BY_CHUNKS, BY_CLOSE
cdef long long GATHERED, WRITE_AHEAD, FILE_TURN
cdef int TURN
cdef object END


@cython.final
cdef class Gateway:
    cdef public object app
    cdef public Framing framing
    cdef public object log_error
    cdef public bytes server_line, date_line
    cdef public object observer
    cdef object request_started, response_started, response_ended, note
    cdef public bint draining, threaded
    cdef public long long served, quota
    cdef public object quota_reached

    @cython.locals(exchange=Exchange)
    cdef Exchange exchange(
        self, Connection connection, OutBuffer out, dict environ, bint is_head, int version, bint keep_alive
    )


cdef class FileWrapper:
    cdef public object filelike
    cdef public Py_ssize_t blksize


@cython.final
cdef class EarlyHints:
    cdef public Exchange exchange


@cython.final
cdef class Exchange:
    cdef public Connection connection
    cdef public Gateway gateway
    cdef public OutBuffer out
    cdef public dict environ
    cdef public bint is_head
    cdef public int version
    cdef public bint keep_alive
    cdef public str stage, framed
    cdef public long long announced, sent
    cdef public double queued, started
    cdef public object note
    cdef public Baton baton
    cdef public bint cut, overrun, told
    cdef public int code
    cdef object result, iterator, spool
    cdef long long spool_at
    cdef bint bound
    cdef int file
    cdef long long file_at, file_end

    @cython.locals(hints=EarlyHints)
    cdef object begin(
        self,
        Gateway gateway,
        Connection connection,
        OutBuffer out,
        dict environ,
        bint is_head,
        int version,
        bint keep_alive,
    )
    cpdef bint is_held_back(self) except -1
    cpdef bint run(self) except -1
    cpdef bint advance(self) except -1
    cpdef object abandon(self)
    cpdef object write(self, data)
    cdef object _write_ahead(self, bytes data)
    @cython.locals(total=cython.longlong)
    cdef bint _put_all(self, object pieces) except -1
    @cython.locals(pieces=cython.int)
    cdef bint _produce(self) except -1
    cdef object _put_next(self)
    cdef bint _end(self) except -1
    cdef bint _fail(self, object error) except -1
    cdef object _finish(self)
    cpdef object tell_end(self)
    cdef object _complain(self, str message, object error=*)
    @cython.locals(out=OutBuffer, gateway=Gateway, length=cython.longlong, before=cython.Py_ssize_t)
    cdef object _start(self, long long known)
    cdef object _check_piece(self, object piece)
    cdef object _put(self, bytes piece)
    cdef object _send_spool(self)
    cdef bint _open_file(self) except -1
    @cython.locals(count=cython.longlong, sent=cython.longlong)
    cdef bint _send_file(self) except -1
