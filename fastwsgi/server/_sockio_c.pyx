"""Plain sockets as a Wire, in C; its pure twin, _sockio_py.py, is the specification."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, EINVAL, EIO, ESTALE, errno
from libc.string cimport memcmp, memcpy, memset
from posix.fcntl cimport O_RDONLY, open as open_fd
from posix.unistd cimport close as close_fd, dup2

from fastwsgi.http._inbox_c cimport Inbox, Room
from fastwsgi.http._meter_c cimport ACCEPTED, RECEIVED, SENT, Meter, count_up
from fastwsgi.http._outbox_c cimport OutBuffer
from fastwsgi.http._wire_c cimport Wire

cdef Py_ssize_t BODY_SIZE, CAPACITY, LOST, READ_SIZE, WOULD_BLOCK

from fastwsgi.http._inbox_c import CAPACITY
from fastwsgi.http.transport import BODY_SIZE, LOST, READ_SIZE, WOULD_BLOCK

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/types.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <netinet/in.h>
    #include <arpa/inet.h>
    #include <fcntl.h>
    #include <sys/ioctl.h>
    #include <termios.h>
    #include <errno.h>
    #include <poll.h>
    #if defined(__linux__)
    #include <sys/sendfile.h>
    #endif
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    /* An accepted socket that does not block and is not inherited by exec. */
    static int accept_nonblocking(int listener, struct sockaddr *address, socklen_t *size) {
    #if defined(__linux__)
        return accept4(listener, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    #else
        address->sa_family = AF_UNSPEC;  /* macOS gives no address of a client that has left already */
        int fd = accept(listener, address, size);
        if (fd >= 0) {
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    #if defined(SO_NOSIGPIPE)  /* where older systems have no MSG_NOSIGNAL; for sendfile(), too */
            int on = 1;
            setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
    #endif
        }
        return fd;
    #endif
    }

    /* Bytes sent, or -1 with errno; part of it may have been sent although the socket would block. */
    static ssize_t send_file_part(int fd, int file, long long offset, size_t count) {
    #if defined(__linux__)
        off_t at = (off_t)offset;
        return sendfile(fd, file, &at, count);
    #else
        off_t sent = (off_t)count;
        int result = sendfile(file, fd, (off_t)offset, &sent, NULL, 0);
        return result == 0 || (sent > 0 && (errno == EAGAIN || errno == EINTR)) ? (ssize_t)sent : -1;
    #endif
    }

    static int reported(int fd, short events) {
        struct pollfd asked = {fd, events, 0};
        return poll(&asked, 1, 0) > 0 ? asked.revents : 0;
    }

    /* 0: the client is there, 1: it has finished sending, 2: it has left. What is asked: see readiness.py. */
    static int look_for_client(int fd) {
        static const int left = POLLERR | POLLNVAL | POLLHUP;
    #if defined(__linux__)
        int found = reported(fd, POLLRDHUP);
        return found & left ? 2 : found & POLLRDHUP ? 1 : 0;
    #else
        return reported(fd, POLLOUT) & left ? 2 : reported(fd, POLLHUP) & POLLHUP ? 1 : 0;
    #endif
    }

    /* Bytes in the socket's own buffer, or 0 where that is unknown. */
    static int bytes_unsent(int fd) {
        int count = 0;
    #if defined(__APPLE__)  /* which has no TIOCOUTQ for sockets */
        socklen_t size = sizeof(count);
        return getsockopt(fd, SOL_SOCKET, SO_NWRITE, &count, &size) == 0 ? count : 0;
    #else
        return ioctl(fd, TIOCOUTQ, &count) == 0 ? count : 0;
    #endif
    }
    """
    ctypedef unsigned int socklen_t
    ctypedef unsigned short sa_family_t
    struct sockaddr:
        sa_family_t sa_family
    struct sockaddr_storage:
        sa_family_t ss_family
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct sockaddr_in:
        unsigned short sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_port
        in6_addr sin6_addr
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    struct linger:
        int l_onoff
        int l_linger
    int AF_INET, AF_INET6, MSG_NOSIGNAL, SHUT_RDWR, SHUT_WR, SOL_SOCKET, SO_LINGER, INET6_ADDRSTRLEN
    int O_CLOEXEC
    unsigned short ntohs(unsigned short)
    const char *inet_ntop(int, const void *, char *, socklen_t)
    ssize_t recv(int, void *, size_t, int) nogil
    ssize_t send(int, const void *, size_t, int) nogil
    ssize_t sendmsg(int, const msghdr *, int) nogil
    int shutdown(int, int)
    int setsockopt(int, int, int, const void *, socklen_t)
    int look_for_client(int)
    int bytes_unsent(int)
    int accept_nonblocking(int, sockaddr *, socklen_t *)
    ssize_t send_file_part(int, int, long long, size_t)


cdef inline Py_ssize_t verdict() noexcept:
    """What an errno means to a connection."""
    return WOULD_BLOCK if errno == EAGAIN or errno == EINTR else LOST


cdef class SocketWire(Wire):
    """Moves bytes between non-blocking sockets and buffers."""

    def __cinit__(self, Meter meter=None):
        self.can_send_files = True
        self.meter = Meter() if meter is None else meter

    cpdef tuple accept(self, listener):
        cdef sockaddr_storage address
        cdef socklen_t size = sizeof(address)
        cdef int fd = accept_nonblocking(listener.fileno(), <sockaddr *>&address, &size)
        if fd < 0:
            return -errno, "", ""
        count_up(&self.meter.words[ACCEPTED], 1)
        if address.ss_family == AF_INET:
            host = self.spell(AF_INET, <unsigned char *>&(<sockaddr_in *>&address).sin_addr, 4)
            return fd, host, str(ntohs((<sockaddr_in *>&address).sin_port))
        if address.ss_family == AF_INET6:
            host = self.spell(AF_INET6, <unsigned char *>&(<sockaddr_in6 *>&address).sin6_addr, 16)
            return fd, host, str(ntohs((<sockaddr_in6 *>&address).sin6_port))
        return fd, "", ""

    cdef str spell(self, int family, const unsigned char *address, int size):
        """The address as text, which is cached: the next client often has the same one."""
        cdef char text[64]
        if size != self.address_size or memcmp(address, self.address, size) != 0:
            inet_ntop(family, address, text, sizeof(text))
            self.host = text.decode("ascii")
            memcpy(self.address, address, size)
            self.address_size = size
        return self.host

    cpdef Py_ssize_t receive(self, int fd, Inbox inbox, bytes rest) except -9:
        cdef Py_ssize_t count
        inbox.start = inbox.end = 0
        if rest is not None:
            inbox.fill(rest)
        count = recv(fd, inbox.data + inbox.end, min(READ_SIZE, CAPACITY - inbox.end), 0)
        if count < 0:
            return verdict()
        count_up(&self.meter.words[RECEIVED], count)
        inbox.end += count
        return count

    cpdef Py_ssize_t receive_into(self, int fd, Inbox inbox, Room room) except -9:
        cdef Py_ssize_t count
        inbox.start = inbox.end = 0
        room.reserve(1)
        count = recv(fd, room.data + room.size, min(BODY_SIZE, room.reserved - room.size), 0)
        if count < 0:
            return verdict()
        count_up(&self.meter.words[RECEIVED], count)
        room.size += count
        return count

    cpdef Py_ssize_t send(self, int fd, OutBuffer out) except -9:
        cdef Py_ssize_t count
        while out.size > 0:
            if out.big is None:
                count = send(fd, out.data + out.start, out.sendable() - out.start, MSG_NOSIGNAL)
            else:
                count = send_parts(fd, out)
            if count <= 0:  # 0: no progress, and there would be none
                return out.size if count < 0 and verdict() == WOULD_BLOCK else LOST
            count_up(&self.meter.words[SENT], count)
            out.sent(count)
        return 0

    cpdef Py_ssize_t send_file(self, int fd, int file, long long offset, long long count) except -9:
        cdef Py_ssize_t sent = send_file_part(fd, file, offset, count)
        if sent < 0:
            return 0 if errno == EIO or errno == EINVAL or errno == ESTALE else verdict()
        count_up(&self.meter.words[SENT], sent)
        return sent

    cpdef Py_ssize_t unsent(self, int fd) except? -1:
        return bytes_unsent(fd)

    cpdef int presence(self, int fd) except -9:
        return look_for_client(fd)

    cpdef object finish(self, int fd):
        shutdown(fd, SHUT_WR)

    cpdef object cut(self, int fd):
        cdef int nothing
        reset_on_close(fd)
        nothing = open_fd(b"/dev/null", O_RDONLY | O_CLOEXEC)
        if nothing >= 0:
            dup2(nothing, fd)
            close_fd(nothing)

    cpdef object close(self, int fd, bint reset):
        if reset:
            reset_on_close(fd)
        else:
            shutdown(fd, SHUT_RDWR)  # so the end is seen even if a process forked this very moment has the socket
        close_fd(fd)


cdef void reset_on_close(int fd) noexcept:
    cdef linger now
    now.l_onoff = 1
    now.l_linger = 0
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now))


cdef Py_ssize_t send_parts(int fd, OutBuffer out):
    """Send the bytes before, in and behind the big piece by one sendmsg()."""
    cdef iovec parts[3]
    cdef msghdr message
    parts[0].iov_base = out.data + out.start
    parts[0].iov_len = out.big_at - out.start
    parts[1].iov_base = PyBytes_AS_STRING(out.big) + out.big_start
    parts[1].iov_len = PyBytes_GET_SIZE(out.big) - out.big_start
    parts[2].iov_base = out.data + out.big_at
    parts[2].iov_len = out.sendable() - out.big_at
    memset(&message, 0, sizeof(message))
    message.msg_iov = parts
    message.msg_iovlen = 3
    return sendmsg(fd, &message, MSG_NOSIGNAL)
