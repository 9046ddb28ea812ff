cimport cython

cdef enum:  # how far a call has come
    NO_CALL
    HELD_BACK  # nothing of its response is out
    BEGUN
    GIVEN_UP  # the monitor has answered

cdef struct Call:
    int fd
    volatile int stage


@cython.final
cdef class Baton:
    cdef object held
    cdef Call call
    cdef public bint lost, given_up

    cpdef object put(self, object connection, int fd)
    cpdef object take(self)
    cpdef bint begin_head(self) except -1
    cpdef object look(self)
    cpdef bint holds(self, object connection)
