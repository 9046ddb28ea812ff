cimport cython

# The modules: request_reader.py imports these classes by name for the type checker
from fastwsgi.http cimport _body_c, _early_hints_c, _head_c, _inbox_c, _presence_c, _service_c, _wire_c


cdef str CLIENT_DISCONNECTED, EARLY_HINTS, REMOTE_ADDR, REMOTE_PORT, WSGI_INPUT
cdef object BytesIO, getrefcount


@cython.final
cdef class RequestReader:
    cdef readonly _head_c.HeadParser parser
    cdef readonly str host, port, client
    cdef readonly bytes name
    cdef object complete, describe
    cdef _early_hints_c.EarlyHints hints
    cdef _head_c.Template template
    cdef Py_ssize_t holders
    cdef bint seldom
    cdef _body_c.Body body
    cdef Py_ssize_t begin, checked, examined, kept

    @cython.locals(room=_inbox_c.Room)
    cdef Py_ssize_t receive(self, _wire_c.Wire wire, int fd, _inbox_c.Inbox inbox, bytes rest) except -9
    @cython.locals(environ=dict)
    cdef bint read_head(self, _inbox_c.Inbox inbox, _presence_c.Presence presence) except -1
    cdef int rest(self) except -1
    cdef int _put_client(self, dict environ, _presence_c.Presence presence) except -1
    cdef int _renew(self, _presence_c.Presence presence) except -1
    cdef Py_ssize_t _count_holders(self) except -1
    cdef bytes begun(self, _inbox_c.Inbox inbox)
    @cython.locals(pending=cython.Py_ssize_t)
    cdef int _examine(self, _inbox_c.Inbox inbox) except -1
    @cython.locals(length=cython.longlong)
    cdef bint take_body(self, _inbox_c.Inbox inbox, dict environ, _service_c.Service service) except -1
    @cython.locals(length=cython.longlong)
    cdef bint begin_body(self, _inbox_c.Inbox inbox, dict environ, _service_c.Service service) except -1
    @cython.locals(body=_body_c.Body)
    cdef bint read_body(self, _inbox_c.Inbox inbox, dict environ) except -1
    cdef bint awaits_continue(self) except -1
    cdef bint is_paused(self) except -1
    cdef Py_ssize_t held(self) except -1
    cdef bint spool_body(self) except -1
    cdef int drop_request(self) except -1
