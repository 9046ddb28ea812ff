"""The scanner: plain heads from the receive buffer to facts and environ, ahead of head.py.

It takes a head only if every byte of it lies in a subset that head.py is certain to accept: a usual method, an
origin-form, HTTP/1.1 or 1.0, token names without underscores, clean values, one plain Host, a plain Content-Length,
nothing that changes the framing. At the first byte outside it gives up, having taken nothing, and head.py takes the
whole head. So it has no rule of its own and refuses nothing; a differential test keeps the two equal.

Whole lines repeat from request to request. Request lines, field lines and field names are kept in direct-mapped
tables, found by a hash of a few of their bytes and compared byte for byte. A line is kept when it is seen a second
time, so that lines that never repeat (a request id) cost a hash and no memory. Other lines go to _lines_c.pyx.
On a connection the same fields come first in each head, up to one that changes, as a Cookie may, or to the end: its
template has them (head.py), and they cost one comparison.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Copy, PyDict_SetItem, PyDict_Size
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.ref cimport Py_INCREF, PyObject
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memset

from fastwsgi.http._lines_c cimport (
    CLOSE, HOST, KEEP_ALIVE, KEPT_LINE, NAMES, PLAIN,
    digest, read_field_line, read_request_line, release_field_line, release_field_name, release_request_line, same,
)

cdef enum:
    REQUEST_LINES = 256  # slots
    FIELD_LINES = 1024
    KEPT_FIELDS = 2048  # bytes that a template has of a head

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

    cpdef bint scan(self, Inbox inbox, HeadParser head, Template template) except -1:
        """Take the next head of *inbox*: True with the facts in *head*, or False with nothing taken.

        The environ starts as *template*, or without one as that of *head*: GET, HTTP/1.1 and an empty query.
        """
        cdef const char *begin = inbox.data + inbox.start
        cdef const char *end = inbox.data + inbox.end
        cdef const char *fields = line_end(begin, end)
        cdef const char *at
        cdef uint64_t hashed
        cdef RequestLine made
        cdef RequestLine *line
        cdef dict environ
        cdef Fields read
        if fields == NULL or fields - begin > self.max_line:
            return False
        hashed = digest(begin, fields - begin)
        line = self.request_lines + (hashed >> 8) % REQUEST_LINES
        if not same(line.raw, begin, fields - begin):
            line = new_request_line(line, hashed, begin, fields - begin, &made)
            if line == NULL:
                return False
        fields += 2
        if template is not None and not begins_with(fields, end, template.fields):
            self.shorten(template, head, fields, end)
        environ = <dict>PyDict_Copy(head.template if template is None else template.environ)
        put_request_line(environ, line)
        head.version = line.version
        head.is_head = line.is_head
        head.name = <bytes>line.name
        if line == &made:
            release_request_line(line)
        read = begun(template)
        at = fields + read.known
        if at < end and at[0] != c'\r':  # else the template has all
            at = self.read_fields(environ, &read, at, end)
            if at == NULL:
                return False
            if template is not None and read.known > PyBytes_GET_SIZE(template.fields):
                self.note(template, fields, read.known)
        if end - at < 2 or at[1] != c'\n' or at + 2 - begin > self.max_head:
            return False
        if read.length > self.max_body or not (read.host or head.version == 10):
            return False
        head.body_length = read.length
        head.keep_alive = not read.close and (read.keep_alive or head.version == 11)
        head.expect_continue = head.is_https = False
        head.environ = environ
        inbox.start = at + 2 - inbox.data
        return True

    cdef const char *read_fields(self, dict environ, Fields *read, const char *at, const char *end) except? NULL:
        """Put field lines into *environ*, behind those that *read* knows of; where they end, or NULL to give up."""
        cdef const char *eol
        cdef Py_ssize_t others = PyDict_Size(environ) - read.count
        cdef uint64_t hashed
        cdef FieldLine made
        cdef FieldLine *line
        cdef bint known = True
        while at < end and at[0] != c'\r':
            eol = line_end(at, end)
            if eol == NULL:
                return NULL
            read.count += 1
            if read.count > self.max_fields or eol - at > self.max_field:
                return NULL
            hashed = digest(at, eol - at)
            line = self.field_lines + (hashed >> 8) % FIELD_LINES
            if not same(line.raw, at, eol - at):
                line = new_field_line(line, hashed, self.names, at, eol - at, &made)
                if line == NULL:
                    return NULL
                known = False
            PyDict_SetItem(environ, <object>line.key, <object>line.value)
            if line.kind != PLAIN:
                if line.kind == HOST:
                    read.host = True
                elif line.kind == KEEP_ALIVE:
                    read.keep_alive = True
                elif line.kind == CLOSE:
                    read.close = True
                else:
                    read.length = line.length
            if line == &made:
                release_field_line(line)
            if known:
                read.known += eol + 2 - at
            at = eol + 2
        # Fewer entries than lines: a field was sent twice, which the scanner leaves to head.py.
        return at if PyDict_Size(environ) == others + read.count else NULL

    cdef int note(self, Template template, const char *at, Py_ssize_t size) except -1:
        """Put the first fields, of *size* bytes, into *template* if the connection has repeated them often enough."""
        cdef uint64_t hashed = digest(at, size)
        template.repeated = template.repeated + 1 if template.seen == hashed else 0
        template.seen = hashed
        if template.repeated >= template.enough and size <= KEPT_FIELDS:
            template.repeated = 0
            self.keep(template, at, size)
        return 0

    cdef int shorten(self, Template template, HeadParser head, const char *at, const char *end) except -1:
        """Leave in *template* those of its fields that the head at *at* repeats, up to the first other line."""
        cdef bytes had = template.fields
        cdef const char *fields = PyBytes_AS_STRING(had)
        cdef Py_ssize_t most = min(end - at, PyBytes_GET_SIZE(had)), size = 0, i = 0
        while i < most and at[i] == fields[i]:
            i += 1
            if fields[i - 1] == c'\n':
                size = i
        if i == end - at:
            return 0  # the rest has not come yet
        template.forget_fields(head.template)
        return self.keep(template, at, size) if size else 0

    cdef int keep(self, Template template, const char *at, Py_ssize_t size) except -1:
        cdef dict environ = <dict>PyDict_Copy(template.environ)
        cdef Fields read = begun(template)
        if self.read_fields(environ, &read, at + read.known, at + size) == at + size:
            read.known = size  # also if another line has taken the slot of one of these
            template.environ = environ
            template.read = read
            template.fields = PyBytes_FromStringAndSize(at, size)
        return 0


cdef inline Fields begun(Template template) noexcept:
    """What is known of the fields that *template* has."""
    cdef Fields read
    if template is not None and PyBytes_GET_SIZE(template.fields) != 0:
        return template.read
    memset(&read, 0, sizeof(Fields))
    return read


cdef inline bint begins_with(const char *at, const char *end, bytes fields) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(fields)
    return size <= end - at and memcmp(at, PyBytes_AS_STRING(fields), size) == 0


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
