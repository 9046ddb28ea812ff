from fastwsgi.http._wire_c cimport Wire


cdef class SocketWire(Wire):
    cdef readonly str host, port
    cdef unsigned char last[16]  # the address that host spells
    cdef int last_size

    cpdef int accept(self, listener) except? -9999
    cdef object name_client(self, int family, const unsigned char *address, int size)
