from fastwsgi._guard_c cimport Guard

cdef enum:
    BATCH = 64  # as poller.py has it


cdef class Batch:
    cdef dict connections
    cdef object serve_other
    cdef Guard guard
    cdef int[BATCH] ready  # file descriptors ...
    cdef int count  # ... so many ...
    cdef int next  # ... of which this one is served next

    cpdef int take(self, poller, double timeout) except -1
    cpdef object serve(self)
