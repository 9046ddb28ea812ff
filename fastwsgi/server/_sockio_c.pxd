cimport cython

from fastwsgi.http._meter_c cimport Meter
from fastwsgi.http._wire_c cimport Wire


@cython.final
cdef class SocketWire(Wire):
    cdef Meter meter
    cdef unsigned char address[16]  # of the client accepted last ...
    cdef int address_size
    cdef str host  # ... and as it is spelled

    cpdef tuple accept(self, listener)
    cdef str spell(self, int family, const unsigned char *address, int size)
