cimport cython

from fastwsgi.http cimport _inbox_c  # the module: body.py imports its class by name for the type checker


@cython.final
cdef class EmptyInput:
    pass


cdef class Body:
    cdef public object holdings, disk
    cdef public long long left, received
    cdef public Py_ssize_t most
    cdef public _inbox_c.Room room
    cdef public object file, spool
    cdef public bint paused

    cpdef bint feed(self, _inbox_c.Inbox inbox) except -1
    cpdef _inbox_c.Room target(self)
    @cython.locals(arrived=cython.Py_ssize_t, data=bytes)
    cdef int _store(self, _inbox_c.Inbox inbox) except -1
    cdef int _count(self, Py_ssize_t count) except -1
    cpdef object go_to_disk(self)
    cpdef Py_ssize_t kept(self) except -1
    cpdef object rewind(self)
    cpdef object disown(self)
    cpdef object discard(self)


@cython.final
cdef class ChunkedBody(Body):
    cdef public long long max_body
    cdef public str expects
    cdef public long long extensions, trailers
