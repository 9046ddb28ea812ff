cimport cython
from cpython.ref cimport PyObject

from fastwsgi.http._exchange_c cimport Exchange


cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define lock_lines(own) PyMutex_Lock(own)
    #define unlock_lines(own) PyMutex_Unlock(own)
    typedef PyMutex line_mutex;
    #else  /* whoever adds a line, or changes the halves, has the GIL */
    #define lock_lines(own) ((void)(own))
    #define unlock_lines(own) ((void)(own))
    typedef char line_mutex;
    #endif
    """
    ctypedef struct line_mutex:
        pass
    void lock_lines(line_mutex *)
    void unlock_lines(line_mutex *)


cdef struct Step:
    const char *literal  # before it
    Py_ssize_t size
    int op
    int at


cdef struct Facts:  # see _access_py.py; the objects are borrowed, and NULL for None
    double now, until, spent, queued
    PyObject *host
    PyObject *line
    PyObject *request_id
    PyObject **note
    PyObject **texts
    int version, code
    long long sent
    const char *stamp
    const char *iso


cdef struct Line:  # one that stands alone
    char *text  # to be freed
    Py_ssize_t size
    int fd


cdef bint make_expired(void *lines, void *connection, int code, Line *line) noexcept nogil
cdef bint write_line(Line *line) noexcept nogil


@cython.final
cdef class _LineLock:
    cdef line_mutex mutex


@cython.final
cdef class Lines:
    cdef readonly object waiting
    cdef _LineLock lock  # over the memory
    cdef object full
    cdef public object drop
    cdef public int fd  # the file, for write_expired(); -1: none
    cdef list literals, calls, guards
    cdef tuple noted
    cdef bint json, disowned
    cdef int shift  # full() is called each time another 2 ** shift bytes have gathered
    cdef Step *steps
    cdef int count
    cdef double until  # the end of the second of these two, on the monotonic clock
    cdef char stamp[32]
    cdef char iso[32]
    cdef Py_buffer memory
    cdef long long *words
    cdef Py_ssize_t hosts, lines, ids  # steps that write the client's address, a request line, an ID
    cdef int pid
    cdef Py_ssize_t bound  # the most bytes of a line besides its texts

    cpdef tuple note(self, dict environ)
    cpdef add(self, Exchange exchange)
    cpdef refuse(self, refused)
    cdef object id_of(self, environ)
    cdef list call(self, request, tuple note)
    cdef add_step(self, bytes literal, int op, int place)
    cdef int put(self, Facts *facts, tuple note, list texts) except -1
    cdef char *make(self, char *to, const Facts *facts) noexcept nogil
    cdef char *time(self, char *to, int op, double seconds, bint missing) noexcept nogil
    cdef char *nothing(self, char *to) noexcept nogil
    cdef char *request_line(self, char *to, const Facts *facts, int at) noexcept nogil
    cdef char *version(self, char *to, int version, bint quoted) noexcept nogil
    cdef char *iso_time(self, char *to, const Facts *facts) noexcept nogil
    cdef char *text(self, char *to, PyObject *text, bint as_path) noexcept nogil
