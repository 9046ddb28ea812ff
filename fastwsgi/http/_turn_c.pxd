cimport cython

from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._meter_c cimport Meter
from fastwsgi.http._outbox_c cimport OutBuffer

cdef enum:  # the stage of a call
    NO_CALL
    HELD_BACK  # no part of its response was sent
    BEGUN
    ANSWERING  # the monitor sends its answer
    GIVEN_UP  # the monitor has answered the client

cdef struct Call:
    int fd
    volatile int stage
    void *connection  # as long as there is a call
    bint logged  # the access log has the line of the monitor's answer


@cython.final
cdef class CallCounter:
    cdef public long long number
    cdef public bint dozing
    cdef public object monitor
    cdef public Meter meter


@cython.final
cdef class Turn:
    cdef readonly Inbox inbox
    cdef public OutBuffer out
    cdef readonly CallCounter counter
    cdef readonly bint lost, given_up
    cdef object held
    cdef Call call

    cpdef object part_with(self, OutBuffer out)
    cpdef object begin_call(self, object connection, int fd)
    cpdef bint end_call(self) except -1
    cpdef bint begin_head(self) except -1
    cdef bint was_given_up(self) noexcept
    cpdef object take(self)
    cpdef object lose(self)
    cpdef object running(self)
    cpdef bint let_go(self, object connection) except -1
    cpdef Turn successor(self)
