"""A batch of events, in C; its pure twin, _batch_py.py, is the specification.

epoll is asked, and a connection called, without a Python frame.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EINTR
from libc.math cimport ceil

from fastwsgi.http._connection_c cimport Connection

cdef extern from *:
    """
    #include <errno.h>
    #if defined(__linux__)
    #include <sys/epoll.h>
    #endif

    /* The number of *ready* file descriptors, or a negative errno. */
    static int wait_for_events(int epoll, int *ready, int most, int milliseconds) {
    #if defined(__linux__)
        struct epoll_event events[most];
        int count = epoll_wait(epoll, events, most, milliseconds);
        for (int place = 0; place < count; place++)
            ready[place] = events[place].data.fd;
        return count < 0 ? -errno : count;
    #else
        return -ENOSYS;
    #endif
    }
    """
    int wait_for_events(int, int *, int, int) nogil


cdef class Batch:
    """The events of a loop that are taken and not served yet."""

    def __cinit__(self, dict connections not None, serve_other, Guard guard not None):
        self.connections = connections
        self.guard = guard
        self.serve_other = serve_other

    cpdef int take(self, poller, double timeout) except -1:
        cdef int epoll = poller.epoll, milliseconds = <int>min(ceil(timeout * 1000), 1e9), count
        self.count = self.next = 0
        if epoll >= 0:
            self.guard.give_up()
            with nogil:
                count = wait_for_events(epoll, self.ready, BATCH, milliseconds)
            self.guard.take_back()
            if count == -EINTR:
                PyErr_CheckSignals()
                return 0
            if count >= 0:
                self.count = count
                return count
        with self.guard.given_up():
            events = poller.poll(timeout)[:BATCH]  # not epoll; or it has failed, and this says how
        for fd, _ in events:
            self.ready[self.count] = fd
            self.count += 1
        return self.count

    cpdef object serve(self):
        cdef int fd
        while self.next < self.count:
            fd = self.ready[self.next]
            self.next += 1
            served = self.connections.get(fd)
            if type(served) is Connection:
                (<Connection>served).on_ready()
            elif served is not None:
                served.on_ready()
            else:
                self.serve_other(fd)
