from fastwsgi.http._inbox_c cimport Inbox


cdef class EmptyInput:
    pass


cdef class Body:
    cdef public Py_ssize_t spool_size
    cdef public long long left, received
    cdef public object file
    cdef public bint spooled, paused

    cpdef bint feed(self, Inbox inbox) except -1
    cpdef Py_ssize_t _store(self, bytes data) except -1
    cpdef object rewind(self)
    cpdef object discard(self)


cdef class ChunkedBody(Body):
    cdef public long long max_body
    cdef public str expects
    cdef public long long extensions, trailers
