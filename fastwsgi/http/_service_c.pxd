cimport cython

from fastwsgi.http._early_hints_c cimport EarlyHints as CEarlyHints
from fastwsgi.http._exchange_c cimport NewExchange as CNewExchange
from fastwsgi.http._framing_c cimport Framing as CFraming
from fastwsgi.http._turn_c cimport Turn as CTurn


@cython.final
cdef class Service:
    cdef public object app, log_error, loop, pool
    cdef public CFraming framing
    cdef public object observer, request_started, response_started, response_ended, note
    cdef public CNewExchange new_exchange
    cdef public CEarlyHints early_hints
    cdef public object body, chunked, no_body
    cdef public double keep_alive, header_timeout, body_timeout, write_timeout, linger_timeout, min_rate
    cdef public Py_ssize_t spool_size
    cdef public long long max_body
    cdef public bytes server_line, date_line
    cdef public bint threaded, draining
    cdef public long long served, quota
    cdef public object quota_reached
    cdef public double now
    cdef public CTurn turn
    cdef public bint full

    cpdef object renew_time(self)
