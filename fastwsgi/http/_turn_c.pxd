cimport cython

from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._meter_c cimport Meter
from fastwsgi.http._outbox_c cimport OutBuffer

cdef extern from *:
    """
    /* For what one thread writes, and another reads without a lock: what it reads may be a little old. */
    #define load_word(at) __atomic_load_n(at, __ATOMIC_RELAXED)
    #define store_word(at, value) __atomic_store_n(at, value, __ATOMIC_RELAXED)

    /* The same on the way of each call; with a GIL in fewer instructions. */
    #if defined(Py_GIL_DISABLED)
    #define count_call(number) store_word(number, *(number) + 1)
    #define is_set(flag) load_word(flag)
    typedef _Atomic int watched_stage;
    #else
    #define count_call(number) (*(number) += 1)
    #define is_set(flag) (*(flag))
    typedef volatile int watched_stage;
    #endif
    """
    ctypedef int watched_stage
    long long load_word(const long long *) noexcept nogil
    void store_word(long long *, long long) noexcept nogil
    bint load_flag "load_word"(const bint *) noexcept nogil
    void store_flag "store_word"(bint *, bint) noexcept nogil
    void count_call(long long *) noexcept
    bint is_set(const bint *) noexcept

cdef enum:  # the stage of a call
    NO_CALL
    HELD_BACK  # no part of its response was sent
    BEGUN
    ANSWERING  # the monitor sends its answer
    GIVEN_UP  # the monitor has answered the client

cdef struct Call:
    int fd
    watched_stage stage
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
