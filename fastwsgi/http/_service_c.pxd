cimport cython

# The modules: service.py imports these classes by name for the type checker
from fastwsgi cimport _guard_c
from fastwsgi.http cimport _early_hints_c, _exchange_c, _framing_c, _meter_c, _presence_c, _routes_c, _turn_c


@cython.final
cdef class Service:
    cdef public object app, sender, log_error, loop, pool, holdings, disk
    cdef public _routes_c.Routes routes
    cdef public _framing_c.Framing framing
    cdef public object observer, request_started, response_started, response_ended, note
    cdef public _exchange_c.Exchange new_exchange
    cdef public _early_hints_c.EarlyHints early_hints
    cdef public _presence_c.Presence presence
    cdef public object body, chunked
    cdef public double keep_alive, header_timeout, body_timeout, write_timeout, linger_timeout, min_rate
    cdef public Py_ssize_t spool_size
    cdef public long long max_body
    cdef public bytes server_line, date_line
    cdef public bint threaded, draining, forked, has_messages
    cdef public long long served, quota
    cdef public object quota_reached, end_messages
    cdef public double now
    cdef public _meter_c.Meter meter
    cdef readonly _guard_c.Guard guard
    cdef public _turn_c.Turn turn
    cdef public bint full, kept

    cpdef object disown(self)
    cpdef object renew_time(self)
