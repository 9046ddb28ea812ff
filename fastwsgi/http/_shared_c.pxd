cimport cython

from fastwsgi.http._baton_c cimport Baton
from fastwsgi.http._inbox_c cimport Inbox
from fastwsgi.http._outbox_c cimport OutBuffer
from fastwsgi.http._wsgi_c cimport Gateway


@cython.final
cdef class Shared:
    cdef public Inbox inbox
    cdef public OutBuffer out
    cdef public Gateway gateway
    cdef public object body, chunked, no_body, loop, pool, monitor
    cdef public double now, keep_alive, header_timeout, body_timeout, write_timeout, linger_timeout, min_rate
    cdef public Py_ssize_t spool_size
    cdef public long long max_body
    cdef public Baton baton
    cdef public long long calls
    cdef public bint dozing, full
