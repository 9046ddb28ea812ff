"""The scanner: plain heads from the receive buffer to facts and environ, ahead of head.py.

It takes a head only if every byte of it lies in a subset that head.py is certain to accept: a usual method, an
origin-form, HTTP/1.1 or 1.0, token names without underscores, clean values, one plain Host, a plain Content-Length,
nothing that changes the framing. At the first byte outside it gives up, having taken nothing, and head.py takes the
whole head. So it has no rule of its own and refuses nothing; a differential test keeps the two equal.

Whole lines repeat from request to request. Request lines, field lines and field names are kept in direct-mapped
tables, found by a hash of a few of their bytes and compared byte for byte. A line is kept when it is seen a second
time, so that lines that never repeat (a request id) cost a hash and no memory. Other lines go to _lines_c.pyx.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_Copy, PyDict_SetItem, PyDict_Size
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.ref cimport Py_INCREF, PyObject
from libc.stdint cimport uint64_t
from libc.string cimport memchr

from fastwsgi.http._lines_c cimport (
    CLOSE, HOST, KEEP_ALIVE, KEPT_LINE, NAMES, PLAIN,
    digest, read_field_line, read_request_line, release_field_line, release_field_name, release_request_line, same,
)

cdef enum:
    REQUEST_LINES = 256  # slots
    FIELD_LINES = 1024

cdef object REQUEST_METHOD = "REQUEST_METHOD"
cdef object SERVER_PROTOCOL = "SERVER_PROTOCOL"
cdef object PATH_INFO = "PATH_INFO"
cdef object QUERY_STRING = "QUERY_STRING"
cdef object RAW_URI = "RAW_URI"
cdef object REQUEST_URI = "REQUEST_URI"
cdef object HTTP_1_0 = "HTTP/1.0"


cdef class Scanner:
    """Takes plain heads.

    Args:
        limits: a grammar.HeadLimits.
        max_body: the longest body that is taken, in bytes.
    """

    def __cinit__(self, limits, long long max_body):
        self.max_line = limits.line
        self.max_fields = limits.fields
        self.max_field = limits.field
        self.max_head = limits.head
        self.max_body = max_body
        self.request_lines = <RequestLine *>PyMem_Calloc(REQUEST_LINES, sizeof(RequestLine))
        self.field_lines = <FieldLine *>PyMem_Calloc(FIELD_LINES, sizeof(FieldLine))
        self.names = <FieldName *>PyMem_Calloc(NAMES, sizeof(FieldName))
        if self.request_lines == NULL or self.field_lines == NULL or self.names == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int i
        if self.request_lines != NULL:
            for i in range(REQUEST_LINES):
                release_request_line(&self.request_lines[i])
        if self.field_lines != NULL:
            for i in range(FIELD_LINES):
                release_field_line(&self.field_lines[i])
        if self.names != NULL:
            for i in range(NAMES):
                release_field_name(&self.names[i])
        PyMem_Free(self.request_lines)
        PyMem_Free(self.field_lines)
        PyMem_Free(self.names)

    cpdef bint scan(self, Inbox inbox, HeadParser head, dict template) except -1:
        """Take the next head of *inbox*: True with the facts in *head*, or False with nothing taken.

        The environ starts as *template*: GET, HTTP/1.1 and an empty query.
        """
        cdef const char *begin = inbox.data + inbox.start
        cdef const char *end = inbox.data + inbox.end
        cdef const char *eol = line_end(begin, end)
        cdef uint64_t hashed
        cdef RequestLine made
        cdef RequestLine *line
        cdef dict environ
        if eol == NULL or eol - begin > self.max_line:
            return False
        hashed = digest(begin, eol - begin)
        line = self.request_lines + (hashed >> 8) % REQUEST_LINES
        if not same(line.raw, begin, eol - begin):
            line = new_request_line(line, hashed, begin, eol - begin, &made)
            if line == NULL:
                return False
        environ = <dict>PyDict_Copy(template)
        put_request_line(environ, line)
        head.version = line.version
        head.is_head = line.is_head
        head.name = <bytes>line.name
        if line == &made:
            release_request_line(line)
        eol = self.read_fields(environ, head, PyDict_Size(template), eol + 2, end)
        if eol == NULL or eol - begin > self.max_head:
            return False
        head.expect_continue = head.is_https = False
        head.environ = environ
        inbox.start = eol - inbox.data
        return True

    cdef const char *read_fields(
        self, dict environ, HeadParser head, Py_ssize_t entries, const char *at, const char *end
    ) except? NULL:
        """Put the field lines into *environ*, which has *entries*; where the head ends, or NULL to give up."""
        cdef const char *eol
        cdef Py_ssize_t fields = 0
        cdef bint close = False, keep_alive = False, host = False
        cdef long long length = 0
        cdef uint64_t hashed
        cdef FieldLine made
        cdef FieldLine *line
        while True:
            eol = line_end(at, end)
            if eol == NULL:
                return NULL
            if eol == at:
                break
            fields += 1
            if fields > self.max_fields or eol - at > self.max_field:
                return NULL
            hashed = digest(at, eol - at)
            line = self.field_lines + (hashed >> 8) % FIELD_LINES
            if not same(line.raw, at, eol - at):
                line = new_field_line(line, hashed, self.names, at, eol - at, &made)
                if line == NULL:
                    return NULL
            PyDict_SetItem(environ, <object>line.key, <object>line.value)
            if line.kind != PLAIN:
                if line.kind == HOST:
                    host = True
                elif line.kind == KEEP_ALIVE:
                    keep_alive = True
                elif line.kind == CLOSE:
                    close = True
                else:
                    length = line.length
            if line == &made:
                release_field_line(line)
            at = eol + 2
        # Fewer entries than lines: a field was sent twice, which the scanner leaves to head.py.
        if PyDict_Size(environ) != entries + fields:
            return NULL
        if length > self.max_body or not (host or head.version == 10):
            return NULL
        head.body_length = length
        head.keep_alive = not close and (keep_alive or head.version == 11)
        return at + 2


cdef RequestLine *new_request_line(
    RequestLine *slot, uint64_t hashed, const char *at, Py_ssize_t size, RequestLine *made
) except? NULL:
    """The parts of a line that *slot* does not hold: in *made*, or in *slot* the second time; NULL to give up."""
    if not read_request_line(at, size, made):
        return NULL
    if slot.seen != hashed or size > KEPT_LINE:
        slot.seen = hashed
        return made
    made.raw = copy(at, size)
    made.seen = hashed
    release_request_line(slot)
    slot[0] = made[0]
    return slot


cdef FieldLine *new_field_line(
    FieldLine *slot, uint64_t hashed, FieldName *names, const char *at, Py_ssize_t size, FieldLine *made
) except? NULL:
    """As new_request_line()."""
    if not read_field_line(names, at, size, made):
        return NULL
    if slot.seen != hashed or size > KEPT_LINE:
        slot.seen = hashed
        return made
    made.raw = copy(at, size)
    made.seen = hashed
    release_field_line(slot)
    slot[0] = made[0]
    return slot


cdef PyObject *copy(const char *at, Py_ssize_t size) except NULL:
    """A line as bytes, for a slot to own."""
    cdef bytes raw = PyBytes_FromStringAndSize(at, size)
    Py_INCREF(raw)
    return <PyObject *>raw


cdef inline const char *line_end(const char *at, const char *end) noexcept nogil:
    """Where the CRLF of the line is; NULL if it has none yet, or a bare LF or CR before it."""
    cdef const char *lf = <const char *>memchr(at, c'\n', end - at) if at < end else NULL
    if lf == NULL or lf == at or (lf - 1)[0] != c'\r':
        return NULL
    return lf - 1


cdef inline int put_request_line(dict environ, RequestLine *line) except -1:
    """Put into *environ* what differs from the template."""
    PyDict_SetItem(environ, PATH_INFO, <object>line.path)
    PyDict_SetItem(environ, RAW_URI, <object>line.target)
    PyDict_SetItem(environ, REQUEST_URI, <object>line.target)
    if line.method != NULL:
        PyDict_SetItem(environ, REQUEST_METHOD, <object>line.method)
    if line.query != NULL:
        PyDict_SetItem(environ, QUERY_STRING, <object>line.query)
    if line.version != 11:
        PyDict_SetItem(environ, SERVER_PROTOCOL, HTTP_1_0)
    return 0
