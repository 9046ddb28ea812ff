"""Lines of the access log, straight into shared memory; the pure twin, _access_py.py, is the specification.

Anything that can run Python code is done before the first byte of a line is written: threads of the loop can switch
only there, so they cannot write into each other's lines. Where no GIL keeps the thread of the log from changing the
halves meanwhile, a _LineLock does.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItemWithError
from cpython.exc cimport PyErr_SetFromErrno
from cpython.list cimport PyList_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from cpython.ref cimport Py_INCREF, PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from libc.errno cimport EINTR, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcpy
from posix.unistd cimport getpid, write

from fastwsgi.http._connection_c cimport Connection
from fastwsgi.http._exchange_c cimport Exchange
from fastwsgi.observe._line_text_c cimport (
    ISO_SIZE, STAMP_SIZE, Py_None, PyUnicode_GET_LENGTH, at_place, bound_of, bound_of_all, copy, escaped, is_unsafe,
    monotonic, number, one_byte, second_without_gil, six_digits, text_or_null,
)

from fastwsgi.observe import waiting as waiting_lines
from fastwsgi.observe.formats import SAFE_CHARS, Op, as_text, current_second

cdef extern from "Python.h":
    void *PyUnicode_DATA(PyObject *) nogil
    PyObject **items_of_tuple "&PyTuple_GET_ITEM" (PyObject *, Py_ssize_t) nogil
    Py_ssize_t size_of_tuple "PyTuple_GET_SIZE" (PyObject *) nogil
    PyObject **items_of_list "&PyList_GET_ITEM" (PyObject *, Py_ssize_t)

cdef extern from *:
    """
    #include <poll.h>

    #define commit(at, end) __atomic_store_n(at, end, __ATOMIC_RELEASE)

    static int has_room(int fd) {
        struct pollfd one = {fd, POLLOUT, 0};
        return poll(&one, 1, 0) == 1 && one.revents == POLLOUT;
    }
    """
    void commit(long long *, long long) nogil
    bint has_room(int) noexcept nogil

cdef enum:
    FULL_SHIFT = 18  # 256 KiB, after which full() is called
    PADDING = 16  # bytes
    MOST_OF_STEP = 40  # bytes of a step besides texts and literals
    EXPIRED = 504
    CURRENT = 0  # the words of waiting.py, and the sizes
    DROPPED = 1
    END = 2
    WRITTEN = 4
    HEAD = 65536
    HALF = 4194304

cdef enum:  # as formats.Op
    LITERAL, HOST, NOTED, PATH, REQUEST, VERSION, CODE, SENT, SENT_OR_DASH, STAMP, ISO, SECONDS, MILLISECONDS
    MICROSECONDS, DURATION, QUEUED, PID, CALLED, REQUEST_ID

assert [op.name for op in Op] == [
    "LITERAL", "HOST", "NOTED", "PATH", "REQUEST", "VERSION", "CODE", "SENT", "SENT_OR_DASH", "STAMP", "ISO", "SECONDS",
    "MILLISECONDS", "MICROSECONDS", "DURATION", "QUEUED", "PID", "CALLED", "REQUEST_ID",
]
assert (CURRENT, DROPPED, END, WRITTEN, HEAD, HALF) == (
    waiting_lines.CURRENT, waiting_lines.DROPPED, waiting_lines.END, waiting_lines.WRITTEN, waiting_lines.HEAD,
    waiting_lines.HALF,
)
assert [byte for byte in range(256) if not is_unsafe(byte)] == sorted(SAFE_CHARS)


cdef class _LineLock:
    """That of one loop's memory. It is held for as long as the bytes of a line take, so a time-out is never reached."""

    def acquire(self, blocking=True, timeout=-1):
        lock_lines(&self.mutex)
        return True

    def release(self):
        unlock_lines(&self.mutex)


cdef class Lines:
    """Makes a line of each response of one loop, one at a time."""

    def __cinit__(self, format, waiting, full, bint prompt=False):
        PyObject_GetBuffer(waiting.memory, &self.memory, PyBUF_WRITABLE)
        self.words = <long long *>self.memory.buf
        self.fd = -1
        self.pid = getpid()  # a child adds no lines
        self.waiting, self.full = waiting, full
        if type(waiting.lock) is not _LineLock:
            waiting.lock = _LineLock()
        self.lock = waiting.lock
        self.drop = int  # does nothing
        self.shift = 0 if prompt else FULL_SHIFT
        self.calls, self.json = format.calls, format.json
        self.literals = []
        self.steps = <Step *>PyMem_RawRealloc(NULL, (len(format.steps) + 1) * sizeof(Step))
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
        self.lines += op == REQUEST
        self.ids += op == REQUEST_ID
        step.op, step.at = op, place
        step.literal, step.size = PyBytes_AS_STRING(padded), PyBytes_GET_SIZE(literal)

    def __dealloc__(self):
        PyBuffer_Release(&self.memory)
        PyMem_RawFree(self.steps)

    @cython.always_allow_keywords(False)
    cpdef tuple note(self, dict environ):
        """The values of *environ* that a line will need."""
        cdef tuple note = PyTuple_New(PyTuple_GET_SIZE(self.noted))
        cdef PyObject *value
        cdef Py_ssize_t place
        for place in range(PyTuple_GET_SIZE(self.noted)):
            value = PyDict_GetItemWithError(environ, <object>PyTuple_GET_ITEM(self.noted, place))
            found = None if value == NULL else <object>value
            Py_INCREF(found)
            PyTuple_SET_ITEM(note, place, found)
        return note

    @cython.always_allow_keywords(False)
    cpdef add(self, Exchange exchange):
        """Make the line of a response that has ended."""
        cdef Facts facts
        cdef list texts = None
        cdef tuple note = exchange.note
        if exchange.code == 0:
            return  # it was refused, or the client left
        if exchange.code == EXPIRED and exchange.turn is not None and exchange.turn.call.logged:
            return
        if self.guards:
            texts = self.call(exchange, note)
        client = exchange.connection.reader.client
        request_id = self.id_of(exchange.environ) if self.ids else None
        facts.request_id = <PyObject *>request_id if request_id is not None else NULL
        facts.now = exchange.service.meter.ended
        facts.host, facts.line = text_or_null(<PyObject *>client), NULL
        facts.version, facts.code, facts.sent = exchange.version, exchange.code, exchange.sent
        facts.spent, facts.queued = max(0.0, facts.now - exchange.started), exchange.queued
        self.put(&facts, note, texts)

    cpdef refuse(self, refused):
        """Make the line of a request that was refused."""
        cdef Facts facts
        cdef tuple note = refused.note
        host, line = refused.host, refused.line
        cdef list texts = None if note is None else self.call(refused, note)
        request_id = self.id_of(refused.environ)
        facts.request_id = <PyObject *>request_id if request_id is not None else NULL
        facts.now, facts.spent, facts.queued = monotonic(), refused.spent, 0.0
        facts.host, facts.line = text_or_null(<PyObject *>host), <PyObject *>line if line is not None else NULL
        facts.version, facts.code, facts.sent = refused.version, refused.code, refused.sent
        self.put(&facts, note, texts)

    def write(self, int fd, piece):
        """Write *piece* to the file *fd*, and note what was written."""
        cdef int half = piece.half
        cdef Py_ssize_t start = piece.start, size = piece.size
        cdef Py_ssize_t written
        if start < HEAD or size < 0 or start + size > self.memory.len or not 0 <= half <= 1:
            raise ValueError("not a piece of this memory")
        with nogil:
            written = write(fd, <char *>self.memory.buf + start, size)
            if written > 0:
                commit(&self.words[WRITTEN + half], self.words[WRITTEN + half] + written)
        if written < 0 and errno != EINTR:
            PyErr_SetFromErrno(OSError)
        return max(written, 0)

    def disown(self):
        """Add no more lines: in a forked child the memory is still the parent's."""
        self.disowned = True

    cdef object id_of(self, environ):
        """The text of the request's ID; None if it has none."""
        cdef PyObject *value
        if environ is None:
            return None
        value = PyDict_GetItemWithError(environ, "fastwsgi.request_id")
        return None if value == NULL else one_byte(as_text(<object>value))

    cdef list call(self, request, tuple note):
        """What the functions of the format make of *request*; None if none is to be called."""
        cdef Py_ssize_t guard
        for guard in self.guards:
            if guard < 0 or note[guard] is not None:
                break
        else:
            return None
        return [
            one_byte(call(request)) if guard < 0 or note[guard] is not None else None for call, guard in self.calls
        ]

    cdef int put(self, Facts *facts, tuple note, list texts) except -1:
        """Add the line of *facts*, with values of the *note* and *texts*."""
        cdef Py_ssize_t most = self.bound + self.hosts * bound_of(facts.host)
        cdef long long half, before, after
        cdef char *line
        if facts.now >= self.until:
            stamp, iso, self.until = current_second()
            memcpy(self.stamp, <const char *>stamp, STAMP_SIZE)
            memcpy(self.iso, <const char *>iso, ISO_SIZE)
        facts.until, facts.stamp, facts.iso = self.until, self.stamp, self.iso
        facts.note = facts.texts = NULL
        if note is not None:
            facts.note = items_of_tuple(<PyObject *>note, 0)
            most += bound_of_all(facts.note, PyTuple_GET_SIZE(note))
        if texts is not None:
            facts.texts = items_of_list(<PyObject *>texts, 0)
            most += bound_of_all(facts.texts, PyList_GET_SIZE(texts))
        if facts.request_id != NULL:
            most += self.ids * bound_of(facts.request_id)
        if facts.line != NULL:
            most += self.lines * bound_of(facts.line)
        if self.disowned:
            return 0
        lock_lines(&self.lock.mutex)
        half = self.words[CURRENT]
        before = self.words[END + half]
        if HALF - before < most:
            self.words[DROPPED] += 1
            unlock_lines(&self.lock.mutex)
            self.drop()
            self.full()
            return 0
        line = <char *>self.memory.buf + HEAD + half * HALF + before
        after = before + (self.make(line, facts) - line)
        commit(&self.words[END + half], after)
        unlock_lines(&self.lock.mutex)
        if before >> self.shift != after >> self.shift:
            self.full()
        return 0

    # Each of these writes at *to*, where there is room, and returns the place behind what it wrote

    cdef char *make(self, char *to, const Facts *facts) noexcept nogil:
        cdef Step *step
        cdef int i, op
        for i in range(self.count):
            step = &self.steps[i]
            op = step.op
            if step.size <= PADDING:
                memcpy(to, step.literal, PADDING)  # of a known size: no call
                to += step.size
            else:
                to = copy(to, step.literal, step.size)
            if op == LITERAL:
                pass
            elif op == HOST:
                to = self.text(to, facts.host, False)
            elif op == NOTED:
                to = self.text(to, at_place(facts.note, step.at), False)
            elif op == PATH:
                to = self.text(to, at_place(facts.note, step.at), True)
            elif op == REQUEST:
                to = self.request_line(to, facts, step.at)
            elif op == VERSION:
                to = self.version(to, facts.version, self.json)
            elif op == CODE:
                to = number(to, facts.code)
            elif op == SENT:
                to = number(to, facts.sent)
            elif op == SENT_OR_DASH:
                if facts.sent > 0:
                    to = number(to, facts.sent)
                else:
                    to = self.nothing(to)
            elif op == STAMP:
                memcpy(to, facts.stamp, STAMP_SIZE)
                to += STAMP_SIZE
            elif op == ISO:
                to = self.iso_time(to, facts)
            elif op == PID:
                to = number(to, self.pid)
            elif op == CALLED:
                to = self.text(to, at_place(facts.texts, step.at), False)
            elif op == REQUEST_ID:
                to = self.text(to, facts.request_id, False)
            elif op == QUEUED:
                to = self.time(to, DURATION, facts.queued, facts.spent < 0.0)
            else:
                to = self.time(to, op, facts.spent, facts.spent < 0.0)
        return to

    cdef inline char *time(self, char *to, int op, double seconds, bint missing) noexcept nogil:
        return self.nothing(to) if missing else duration(to, op, seconds)

    cdef inline char *nothing(self, char *to) noexcept nogil:
        if self.json:
            return copy(to, b"null", 4)
        to[0] = b"-"
        return to + 1

    cdef char *request_line(self, char *to, const Facts *facts, int at) noexcept nogil:
        if facts.line != NULL:
            return self.text(to, facts.line, False)
        if facts.note == NULL:
            return self.nothing(to)
        to = self.text(to, at_place(facts.note, at), False)
        to[0] = b" "
        to = self.text(to + 1, at_place(facts.note, at + 1), False)
        to[0] = b" "
        return self.version(to + 1, facts.version, False)

    cdef char *version(self, char *to, int version, bint quoted) noexcept nogil:
        if version == 0:
            return self.nothing(to)
        to = copy(to, b'"1.' if quoted else b"HTTP/1.", 3 if quoted else 7)
        to[0] = 48 + version - 10
        to[1] = b'"'
        return to + 2 if quoted else to + 1

    cdef char *iso_time(self, char *to, const Facts *facts) noexcept nogil:
        cdef int micros = <int>((1 - facts.until + facts.now) * 1e6)
        to[0] = b'"'
        memcpy(to + 1, facts.iso, ISO_SIZE)
        to = six_digits(to + 1 + ISO_SIZE, min(max(0, micros), 999999))
        return copy(to, b'Z"', 2)

    cdef char *text(self, char *to, PyObject *text, bint as_path) noexcept nogil:
        """*text*, a str of latin-1 or NULL, with controls, quotes, backslashes and non-ASCII characters escaped."""
        cdef const unsigned char *at
        cdef const unsigned char *end
        cdef const void *query
        if text == NULL:
            return self.nothing(to)
        at = <const unsigned char *>PyUnicode_DATA(text)
        end = at + PyUnicode_GET_LENGTH(text)
        if as_path:
            query = memchr(at, 63, end - at)
            if query != NULL:
                end = <const unsigned char *>query
        if not self.json:
            return escaped(to, at, end, False)
        to[0] = b'"'
        to = escaped(to + 1, at, end, True)
        to[0] = b'"'
        return to + 1


cdef char *duration(char *to, int op, double spent) noexcept nogil:
    cdef unsigned long long micros = <unsigned long long>(spent * 1e6) if spent > 0 else 0
    if op == MICROSECONDS:
        return number(to, micros)
    if op == MILLISECONDS:
        return number(to, micros // 1000)
    to = number(to, micros // 1000000)
    return to if op == SECONDS else six_digits(to, micros % 1000000)


# For the monitor, whose thread does not have the GIL; what it reads cannot change as long as a call is ANSWERING


cdef bint make_expired(void *lines, void *connection, int code, Line *line) noexcept nogil:
    """Make the line of the call for *connection*, which gets *code* without a body; functions are not called for it."""
    cdef Facts facts
    cdef char stamp[STAMP_SIZE]
    cdef char iso[ISO_SIZE]
    cdef PyObject *exchange = <PyObject *>(<Connection>connection).exchange
    cdef PyObject *note
    cdef Py_ssize_t most
    line.text, line.fd = NULL, (<Lines>lines).fd
    if line.fd < 0 or exchange == Py_None:
        return False
    note = <PyObject *>(<Exchange>exchange).note
    if note == Py_None:
        return False
    facts.until = second_without_gil(stamp, iso)
    facts.stamp, facts.iso, facts.now = stamp, iso, monotonic()
    facts.spent, facts.queued = facts.now - (<Exchange>exchange).started, (<Exchange>exchange).queued
    facts.host, facts.line = text_or_null(<PyObject *>(<Connection>connection).reader.client), NULL
    facts.note, facts.texts, facts.request_id = items_of_tuple(note, 0), NULL, NULL
    facts.version, facts.code, facts.sent = (<Exchange>exchange).version, code, 0
    most = (<Lines>lines).bound + (<Lines>lines).hosts * bound_of(facts.host)
    most += bound_of_all(facts.note, size_of_tuple(note))
    if most < HALF:
        line.text = <char *>malloc(most)
    if line.text == NULL:
        return False
    line.size = (<Lines>lines).make(line.text, &facts) - line.text
    return True


cdef bint write_line(Line *line) noexcept nogil:
    """Write the line and free it; False if it would have had to wait for the reader of a pipe, and is dropped."""
    cdef bint written = has_room(line.fd) and write(line.fd, line.text, line.size) == line.size
    free(line.text)
    return written
