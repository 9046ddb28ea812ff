cimport cython

# The modules: pace.py imports these classes by name for the type checker
from fastwsgi.http cimport _service_c


cdef double GRACE, SPARED


@cython.final
cdef class Pace:
    cdef _service_c.Service service
    cdef readonly double deadline
    cdef readonly bint blocked
    cdef public long long moved
    cdef long long taken
    cdef double since, waited

    cdef int await_head(self) except -1
    cdef int await_request(self) except -1
    cdef int await_close(self) except -1
    cpdef object excuse(self, double seconds)
    cpdef object hurry(self, double until)
    cpdef double began(self, double allowed) except? -1
    cpdef double silent_since(self) except? -1
    cpdef double left(self, double now) except? -1
    cdef int begin_body(self, Py_ssize_t received) except -1
    cdef int go_on_with_body(self) except -1
    cpdef bint sends_too_slowly(self, double now) except -1
    cdef int begin_response(self) except -1
    @cython.locals(service=_service_c.Service)
    cdef int note_sent(self, long long count, bint blocked, Py_ssize_t unsent) except -1
    cpdef bint reads_too_slowly(self, double now, Py_ssize_t unsent) except -1
    @cython.locals(taken=cython.longlong)
    cpdef bint note_read(self, double now, Py_ssize_t unsent, double more) except -1
    @cython.locals(elapsed=cython.double)
    cdef bint _is_below_floor(self, double now, long long moved) except -1
