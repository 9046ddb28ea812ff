from fastwsgi.http._framing_c cimport Framing
from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._scanner_c cimport Scanner


cdef class HeadParser:
    cdef public dict template
    cdef public object limits
    cdef public Framing framing
    cdef public Scanner scanner
    cdef public str root_path
    cdef public str underscores
    cdef public dict environ
    cdef public bint is_head
    cdef public int version
    cdef public long long body_length
    cdef public bint keep_alive
    cdef public bint expect_continue
    cdef bytes _target
    cdef list _fields

    cpdef bint parse(self, Inbox inbox) except -1
    cpdef object examine(self, Inbox inbox)
    cpdef bint _parse_any(self, Inbox inbox) except -1
