cimport cython

# The modules: request_reader.py imports these classes by name for the type checker
from fastwsgi.http cimport _body_c, _head_c, _inbox_c, _service_c


cdef str WSGI_INPUT


@cython.final
cdef class RequestReader:
    cdef readonly _head_c.HeadParser parser
    cdef readonly str host, port, client
    cdef readonly bytes name
    cdef object complete
    cdef _body_c.Body body
    cdef Py_ssize_t begin, checked, examined, kept

    @cython.locals(environ=dict)
    cdef bint read_head(self, _inbox_c.Inbox inbox) except -1
    cdef bytes begun(self, _inbox_c.Inbox inbox)
    @cython.locals(pending=cython.Py_ssize_t)
    cdef int _examine(self, _inbox_c.Inbox inbox) except -1
    @cython.locals(length=cython.longlong)
    cdef bint take_body(self, _inbox_c.Inbox inbox, _service_c.Service service) except -1
    @cython.locals(length=cython.longlong)
    cdef bint begin_body(self, _service_c.Service service, _inbox_c.Inbox inbox) except -1
    @cython.locals(body=_body_c.Body)
    cdef bint read_body(self, _inbox_c.Inbox inbox, dict environ) except -1
    cdef bint awaits_continue(self) except -1
    cdef bint is_paused(self) except -1
    cdef Py_ssize_t held(self) except -1
    cdef bint spool_body(self) except -1
    cdef int drop_request(self) except -1
