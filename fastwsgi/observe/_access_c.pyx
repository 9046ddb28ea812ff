"""Lines of the access log, in one block of memory; the pure twin, _access_py.py, is the specification.

Anything that can run Python code is done before the first byte of a line is written: threads can switch only there, so
they cannot write into each other's lines.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError
from cpython.list cimport PyList_GET_ITEM, PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from cpython.ref cimport Py_INCREF, PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_GET_LENGTH
from libc.string cimport memchr, memcpy
from posix.unistd cimport getpid

from fastwsgi.http._exchange_c cimport Exchange

from fastwsgi.observe.formats import SAFE_CHARS, Op, current_second

cdef extern from "Python.h":
    int PyUnicode_CheckExact(object)
    int PyUnicode_KIND(object)
    int PyUnicode_1BYTE_KIND
    void *PyUnicode_DATA(object)

cdef extern from *:
    """
    #include <time.h>

    /* Seconds on the clock of time.monotonic(). */
    static double monotonic(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    """
    double monotonic() noexcept nogil

cdef enum:
    FULL = 262144  # bytes, after which full() is called
    MOST_ESCAPED = 6  # bytes that one byte may become
    PADDING = 16  # bytes
    MOST_OF_STEP = 40  # bytes of a step besides texts and literals
    RETAINED = 1048576  # bytes: a larger block is given back by drain()

cdef enum:  # as formats.Op
    LITERAL, HOST, NOTED, PATH, REQUEST, VERSION, CODE, SENT, SENT_OR_DASH, STAMP, ISO, SECONDS, MILLISECONDS
    MICROSECONDS, DURATION, QUEUED, PID, CALLED

assert [op.name for op in Op] == [
    "LITERAL", "HOST", "NOTED", "PATH", "REQUEST", "VERSION", "CODE", "SENT", "SENT_OR_DASH", "STAMP", "ISO", "SECONDS",
    "MILLISECONDS", "MICROSECONDS", "DURATION", "QUEUED", "PID", "CALLED",
]

cdef unsigned char UNSAFE[256]
cdef const char *HEX = b"0123456789abcdef"

cdef int byte
for byte in range(256):
    UNSAFE[byte] = byte not in SAFE_CHARS


cdef class Lines:
    """Makes a line of each response. Several threads may do so at once.

    Args:
        format: a formats.Format.
        full: called each time another 256 KiB have gathered.
    """

    def __init__(self, format, full):
        self.full = full
        self.calls = format.calls
        self.json = format.json
        self.escape, self.missing = format.escape, format.missing
        self.literals = []
        self.stamp = self.iso = b""
        self.steps = <Step *>PyMem_RawRealloc(self.steps, (len(format.steps) + 1) * sizeof(Step))
        if self.steps == NULL:
            raise MemoryError
        self.noted = format.noted
        self.guards = [guard for _, guard in format.calls]
        literal = b""
        for op, text, place in format.steps:
            if op == LITERAL:
                literal = text
            else:
                self.add_step(literal, op, place)
                literal = b""
        self.add_step(literal, LITERAL, -1)

    cdef add_step(self, bytes literal, int op, int place):
        """Add a step that writes *literal*, and then what *op* adds; LITERAL adds nothing."""
        cdef Step *step = &self.steps[self.count]
        cdef bytes padded = literal + bytes(PADDING)
        self.literals.append(padded)  # keeps it alive
        self.count += 1
        self.bound += MOST_OF_STEP + len(padded)
        self.hosts += op == HOST
        step.op, step.at = op, place
        step.literal, step.size = PyBytes_AS_STRING(padded), PyBytes_GET_SIZE(literal)

    def __dealloc__(self):
        PyMem_RawFree(self.data)
        PyMem_RawFree(self.steps)

    @property
    def size(self):
        """The bytes that have gathered."""
        return self.used

    @cython.always_allow_keywords(False)
    cpdef list note(self, dict environ):
        """The values of *environ* that a line will need."""
        cdef list note = PyList_New(PyTuple_GET_SIZE(self.noted))
        cdef PyObject *value
        cdef Py_ssize_t place
        for place in range(PyTuple_GET_SIZE(self.noted)):
            value = PyDict_GetItemWithError(environ, <object>PyTuple_GET_ITEM(self.noted, place))
            found = None if value == NULL else <object>value
            Py_INCREF(found)
            PyList_SET_ITEM(note, place, found)
        return note

    @cython.always_allow_keywords(False)
    cpdef add(self, Exchange exchange):
        """Make the line of a response that has ended."""
        cdef double now
        cdef list texts = None
        if exchange.code == 0:
            return  # it was refused, or the client left
        if self.guards and self.must_call(exchange.note):
            texts = [
                one_byte(call(exchange)) if guard < 0 or exchange.note[guard] is not None else None
                for call, guard in self.calls
            ]
        now = monotonic()
        self.put(
            now, exchange.connection.reader.client, exchange.note, exchange.version, exchange.code, exchange.sent,
            now - exchange.started, exchange.queued, texts,
        )

    cpdef refuse(self, str host, int code):
        """Make the line of a request that was refused with *code*."""
        self.put(monotonic(), host, None, 0, code, 0, 0.0, 0.0, None)

    cpdef drain(self):
        """Hand over what has gathered: whole lines, and their number."""
        taken = PyBytes_FromStringAndSize(self.data, self.used) if self.used else b""
        count = self.lines
        self.used = self.lines = 0
        if self.room > RETAINED:
            PyMem_RawFree(self.data)
            self.data, self.room = NULL, 0
        return taken, count

    cdef bint must_call(self, list note) except -1:
        """Whether any function of the format must be called."""
        cdef Py_ssize_t guard
        for guard in self.guards:
            if guard < 0 or note[guard] is not None:
                return True
        return False

    cdef put(
        self, double now, str host, list note, int version, int code, long long sent, double spent, double queued,
        list texts,
    ):
        cdef char *to
        cdef Step *step
        cdef int i, op
        if now >= self.until:
            self.stamp, self.iso, self.until = current_second()
        self.reserve(self.bound + self.hosts * bound_of(host) + bound_of_all(note) + bound_of_all(texts))
        to = self.data + self.used
        for i in range(self.count):
            step = &self.steps[i]
            op = step.op
            if step.size <= PADDING:
                memcpy(to, step.literal, PADDING)  # of a known size: no call
                to += step.size
            else:
                to = self.copy(to, step.literal, step.size)
            if op == LITERAL:
                pass
            elif op == HOST:
                to = self.text(to, <PyObject *>host if host else NULL, False)
            elif op == NOTED:
                to = self.text(to, at_place(note, step.at), False)
            elif op == PATH:
                to = self.text(to, at_place(note, step.at), True)
            elif op == REQUEST:
                to = self.request_line(to, note, step.at, version)
            elif op == VERSION:
                to = self.version(to, version, self.json)
            elif op == CODE:
                to = number(to, code)
            elif op == SENT:
                to = number(to, sent)
            elif op == SENT_OR_DASH:
                to = number(to, sent) if sent > 0 else self.nothing(to)
            elif op == STAMP:
                to = self.copy(to, PyBytes_AS_STRING(self.stamp), PyBytes_GET_SIZE(self.stamp))
            elif op == ISO:
                to = self.iso_time(to, now)
            elif op == QUEUED:
                to = duration(to, DURATION, queued) if version else self.nothing(to)
            elif op == PID:
                to = number(to, getpid())
            elif op == CALLED:
                to = self.text(to, at_place(texts, step.at), False)
            else:
                to = duration(to, op, spent) if version else self.nothing(to)
        self.end_line(to)

    cdef int end_line(self, char *to) except -1:
        """Count a line that ends at *to*, and call full() each time another 256 KiB have gathered."""
        cdef Py_ssize_t before = self.used
        self.used = to - self.data
        self.lines += 1
        if before // FULL != self.used // FULL:
            self.full()
        return 0

    cdef int reserve(self, Py_ssize_t size) except -1:
        """Make room for *size* more bytes."""
        cdef Py_ssize_t room = max(2 * self.room, FULL)
        cdef char *data
        if self.room - self.used >= size:
            return 0
        while room - self.used < size:
            room *= 2
        data = <char *>PyMem_RawRealloc(self.data, room)
        if data == NULL:
            raise MemoryError
        self.data, self.room = data, room
        return 0

    # Each of these writes at *to*, where there is room, and returns the place behind what it wrote

    cdef inline char *copy(self, char *to, const char *data, Py_ssize_t size) noexcept:
        memcpy(to, data, size)
        return to + size

    cdef inline char *nothing(self, char *to) noexcept:
        return self.copy(to, PyBytes_AS_STRING(self.missing), PyBytes_GET_SIZE(self.missing))

    cdef char *request_line(self, char *to, list note, int at, int version) noexcept:
        if note is None:
            return self.nothing(to)
        to = self.text(to, at_place(note, at), False)
        to[0] = b" "
        to = self.text(to + 1, at_place(note, at + 1), False)
        to[0] = b" "
        return self.version(to + 1, version, False)

    cdef char *version(self, char *to, int version, bint quoted) noexcept:
        if version == 0:
            return self.nothing(to)
        to = self.copy(to, b'"1.' if quoted else b"HTTP/1.", 3 if quoted else 7)
        to[0] = 48 + version - 10
        to[1] = b'"'
        return to + 2 if quoted else to + 1

    cdef char *iso_time(self, char *to, double now) noexcept:
        cdef int micros = <int>((1 - self.until + now) * 1e6)
        to[0] = b'"'
        to = self.copy(to + 1, PyBytes_AS_STRING(self.iso), PyBytes_GET_SIZE(self.iso))
        to = six_digits(to, min(max(0, micros), 999999))
        return self.copy(to, b'Z"', 2)

    cdef char *text(self, char *to, PyObject *text, bint as_path) noexcept:
        """*text*, a str of latin-1 or NULL, with controls, quotes, backslashes and non-ASCII characters escaped."""
        cdef const unsigned char *at
        cdef const unsigned char *end
        cdef const void *query
        cdef Py_ssize_t escape = PyBytes_GET_SIZE(self.escape)
        if text == NULL:
            return self.nothing(to)
        at = <const unsigned char *>PyUnicode_DATA(<object>text)
        end = at + PyUnicode_GET_LENGTH(<object>text)
        if as_path:
            query = memchr(at, 63, end - at)
            if query != NULL:
                end = <const unsigned char *>query
        if self.json:
            to[0] = b'"'
            to += 1
        while at < end:
            if UNSAFE[at[0]]:
                memcpy(to, PyBytes_AS_STRING(self.escape), escape)
                to[escape] = HEX[at[0] >> 4]
                to[escape + 1] = HEX[at[0] & 15]
                to += escape + 2
            else:
                to[0] = at[0]
                to += 1
            at += 1
        if self.json:
            to[0] = b'"'
            to += 1
        return to


cdef inline PyObject *at_place(list texts, Py_ssize_t place) noexcept:
    """A text of the list, or NULL for None."""
    if texts is None or PyList_GET_ITEM(texts, place) == <PyObject *>None:
        return NULL
    return PyList_GET_ITEM(texts, place)


cdef char *number(char *to, unsigned long long value) noexcept:
    cdef char reversed[24]
    cdef int size = 0
    while True:
        reversed[size] = 48 + value % 10
        value //= 10
        size += 1
        if value == 0:
            break
    while size:
        size -= 1
        to[0] = reversed[size]
        to += 1
    return to


cdef char *six_digits(char *to, unsigned int value) noexcept:
    """A fraction in millionths, with its point."""
    cdef int place
    to[0] = b"."
    for place in range(6, 0, -1):
        to[place] = 48 + value % 10
        value //= 10
    return to + 7


cdef char *duration(char *to, int op, double spent) noexcept:
    cdef unsigned long long micros = <unsigned long long>(spent * 1e6) if spent > 0 else 0
    if op == MICROSECONDS:
        return number(to, micros)
    if op == MILLISECONDS:
        return number(to, micros // 1000)
    to = number(to, micros // 1000000)
    return to if op == SECONDS else six_digits(to, micros % 1000000)


cdef inline Py_ssize_t bound_of(object text) except -1:
    """The most bytes that *text* can take."""
    if not PyUnicode_CheckExact(text):
        return 0  # None, or the head of the response, which comes last
    if PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND:
        raise ValueError("not a text of latin-1")
    return MOST_ESCAPED * PyUnicode_GET_LENGTH(text)


cdef inline Py_ssize_t bound_of_all(list texts) except -1:
    cdef Py_ssize_t bound = 0
    if texts is not None:
        for text in texts:
            bound += bound_of(text)
    return bound


cdef one_byte(text):
    """*text* as a str of latin-1, other characters as \\uNNNN."""
    if text is None or PyUnicode_KIND(text) == PyUnicode_1BYTE_KIND:
        return text
    return text.encode("latin-1", "backslashreplace").decode("latin-1")
