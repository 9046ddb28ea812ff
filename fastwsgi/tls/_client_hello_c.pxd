cimport cython


cdef int HANDSHAKE, CLIENT_HELLO, MOST_RECORDS, MOST_EXTENSIONS
cdef Py_ssize_t MOST_BYTES
cdef Py_ssize_t LONGEST_NAME
cdef bytes _IN_NAMES

cpdef bint is_record(bytes data) except -1
cpdef bint is_http(bytes data) except -1
@cython.locals(message=bytes)
cpdef str server_name(bytes data)
@cython.locals(message=bytes, at=cython.Py_ssize_t, size=cython.Py_ssize_t, wanted=cython.Py_ssize_t)
cdef bytes _message(bytes data)
@cython.locals(at=cython.Py_ssize_t, size=cython.Py_ssize_t)
cdef str _server_name(bytes message)
@cython.locals(name=bytes)
cdef str _first_host(bytes extension)
