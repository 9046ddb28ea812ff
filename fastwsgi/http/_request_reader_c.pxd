cimport cython

from fastwsgi.http._body_c cimport Body as CBody
from fastwsgi.http._head_c cimport HeadParser as CHeadParser
from fastwsgi.http._inbox_c cimport Inbox as CInbox
from fastwsgi.http._service_c cimport Service as CService


@cython.final
cdef class RequestReader:
    cdef readonly CHeadParser parser
    cdef readonly str host, port, client
    cdef object complete
    cdef CBody body
    cdef Py_ssize_t checked, examined

    @cython.locals(environ=dict)
    cdef bint read_head(self, CInbox inbox) except -1
    @cython.locals(pending=cython.Py_ssize_t)
    cdef int _examine(self, CInbox inbox) except -1
    @cython.locals(length=cython.longlong)
    cdef bint take_body(self, CInbox inbox, Py_ssize_t spool_size) except -1
    @cython.locals(length=cython.longlong)
    cdef bint begin_body(self, CService service, CInbox inbox) except -1
    @cython.locals(body=CBody)
    cdef bint read_body(self, CInbox inbox, dict environ) except -1
    cdef bint awaits_continue(self) except -1
    cdef bint is_paused(self) except -1
    cdef int drop_body(self) except -1
