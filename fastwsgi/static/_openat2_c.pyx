"""openat2() of Linux 5.6 and later: what beneath.py does in steps, in one call."""

from libc.errno cimport errno


cdef extern from *:
    """
    #include <errno.h>
    #include <fcntl.h>
    #include <stdint.h>
    #include <unistd.h>
    #if defined(__linux__)
    #include <sys/syscall.h>
    #if !defined(SYS_openat2)
    #define SYS_openat2 437  /* on all architectures */
    #endif

    struct how_to_open { uint64_t flags, mode, resolve; };  /* struct open_how: headers may be older than the kernel */
    enum { NO_MAGIC_LINKS = 0x02, BENEATH = 0x08, TRIES = 16 };

    static int call_openat2(int folder, const char *path) {
        struct how_to_open how = {O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0, BENEATH | NO_MAGIC_LINKS};
        long found = -1;
        for (int tries = 0; tries < TRIES; tries++) {
            found = syscall(SYS_openat2, folder, path, &how, sizeof(how));
            if (found >= 0 || (errno != EAGAIN && errno != EINTR))  /* EAGAIN: something was renamed meanwhile */
                break;
        }
        return (int)found;
    }
    #else
    static int call_openat2(int folder, const char *path) {
        (void)folder, (void)path;
        errno = ENOSYS;
        return -1;
    }
    #endif
    """
    int call_openat2(int folder, const char *path) nogil


cpdef int open_beneath(int folder, bytes path) except? -1:
    cdef const char *name = path
    cdef int found
    with nogil:
        found = call_openat2(folder, name)
    return found if found >= 0 else -errno
