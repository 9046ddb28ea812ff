from fastwsgi.http._inbox_c cimport Inbox, Room
from fastwsgi.http._outbox_c cimport OutBuffer


cdef class Wire:
    cdef public bint can_send_files, cannot_answer, handshaking, last

    cpdef Py_ssize_t receive(self, int fd, Inbox inbox, bytes rest) except -9
    cpdef Py_ssize_t receive_into(self, int fd, Inbox inbox, Room room) except -9
    cpdef Py_ssize_t send(self, int fd, OutBuffer out) except -9
    cpdef Py_ssize_t send_file(self, int fd, int file, long long offset, long long count) except -9
    cpdef Py_ssize_t unsent(self, int fd) except? -1
    cpdef int presence(self, int fd) except -9
    cpdef Py_ssize_t weight(self) except -1
    cpdef object finish(self, int fd)
    cpdef object cut(self, int fd)
    cpdef object close(self, int fd, bint reset)
