cimport cython

# The modules: presence.py imports these classes by name for the type checker
from fastwsgi cimport _guard_c
from fastwsgi.http cimport _connection_c, _service_c


cdef int PRESENT, FINISHED, LEFT
cdef double PATIENCE
cdef object GONE


@cython.final
cdef class Presence:
    cdef public _connection_c.Connection connection
    cdef readonly _guard_c.Guard guard
    cdef double finished
    cdef public bint may_read

    @cython.locals(presence=Presence)
    cdef Presence of(self, _connection_c.Connection connection)
    cpdef object check(self)
    @cython.locals(connection=_connection_c.Connection)
    cdef int _look(self) except -9
    @cython.locals(service=_service_c.Service)
    cdef object _await_more(self)
    cdef object _give_up(self, str reason)
