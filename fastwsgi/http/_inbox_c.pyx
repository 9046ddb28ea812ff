"""The receive buffer and the scanner: head bytes to facts and environ, for plain heads.

The scanner takes a head only if every byte of it lies in a subset about which head.py could say nothing but yes:
a usual method, origin-form, HTTP/1.1 or 1.0, token names without underscores, clean values, one plain Host, a plain
Content-Length, nothing that changes the framing. At the first byte outside it gives up, having taken nothing, and
head.py takes the whole head. So it has no rule of its own and refuses nothing; a differential test holds it equal.

Whole lines repeat from request to request. Request lines, field lines and field names are kept in direct-mapped
tables, found by a hash of a few of their bytes and compared byte for byte; a line is kept at its second sight, so that
lines which never repeat (a request id) cost a hash and no memory.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Copy, PyDict_SetItem, PyDict_Size
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from fastwsgi.http._head_c cimport HeadParser

from fastwsgi.http.grammar import TOKEN_CHARS

cdef extern from "<string.h>" nogil:
    void *memmem(const void *, size_t, const void *, size_t)

CAPACITY = 131072  # bytes: the longest head kept over, and 64 KiB read behind it

cdef enum:
    INBOX_SIZE = 131072
    KEPT_LINE = 512  # bytes: longer lines are not kept
    KEPT_NAME = 64
    TARGETS = 256  # slots
    LINES = 1024
    NAMES = 256
    MAX_NAME = 256  # bytes of a field name the scanner takes

# What a field means to the scanner
cdef enum:
    PLAIN
    HOST
    CONNECTION
    KEEP_ALIVE  # Connection: keep-alive
    CLOSE  # Connection: close
    LENGTH
    BEYOND  # changes the framing or the flow: not for the scanner


cdef class Inbox:
    """Received bytes and how far they are used: data[start:end] is unread."""

    def __cinit__(self):
        self.data = <char *>PyMem_Malloc(INBOX_SIZE)
        if self.data == NULL:
            raise MemoryError
        self.start = 0
        self.end = 0

    def __dealloc__(self):
        PyMem_Free(self.data)

    cpdef Py_ssize_t available(self):
        return self.end - self.start

    cpdef object fill(self, bytes data):
        if PyBytes_GET_SIZE(data) > INBOX_SIZE:
            raise ValueError("more than the receive buffer holds")
        memcpy(self.data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self.start = 0
        self.end = PyBytes_GET_SIZE(data)

    cpdef bytes peek(self, Py_ssize_t count):
        return PyBytes_FromStringAndSize(self.data + self.start, min(count, self.end - self.start))

    cpdef bytes take(self, Py_ssize_t count):
        cdef bytes data = self.peek(count)
        self.start += PyBytes_GET_SIZE(data)
        return data

    cpdef bytes since(self, Py_ssize_t mark):
        return PyBytes_FromStringAndSize(self.data + mark, self.start - mark)

    cpdef Py_ssize_t head_size(self, Py_ssize_t skipped):
        cdef char *begin = self.data + self.start
        cdef char *at = <char *>memmem(begin + skipped, self.end - self.start - skipped, b"\r\n\r\n", 4)
        return at + 4 - begin if at != NULL else 0

    cpdef bint has_bare_line_end(self, Py_ssize_t skipped):
        cdef char *begin = self.data + self.start
        cdef char *end = self.data + self.end
        cdef char *at = begin + skipped
        while at < end:
            if at[0] == c'\n' and (at == begin or (at - 1)[0] != c'\r'):
                return True
            if at[0] == c'\r' and at + 1 < end and (at + 1)[0] != c'\n':
                return True
            at += 1
        return False


# Alphabets, filled once below

cdef unsigned char NAME_KEY[256]  # field-name byte -> its byte in environ, 0 if not plain
cdef unsigned char IN_VALUE[256]
cdef unsigned char IN_PATH[256]
cdef unsigned char IN_QUERY[256]
cdef unsigned char IN_HOST[256]
cdef unsigned char HEX[256]  # digit value + 1


cdef fill_alphabets():
    cdef int byte
    for byte in range(256):
        IN_VALUE[byte] = byte == 9 or 32 <= byte <= 126 or byte >= 128
        IN_QUERY[byte] = 33 <= byte <= 126 and byte != c'#'
        IN_PATH[byte] = IN_QUERY[byte] and byte != c'?' and byte != c'\\'
    for byte in TOKEN_CHARS:
        NAME_KEY[byte] = bytes([byte]).upper()[0]
    NAME_KEY[c'-'] = c'_'
    NAME_KEY[c'_'] = 0
    for byte in b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-":
        IN_HOST[byte] = 1
    for byte in b"0123456789abcdefABCDEF":
        HEX[byte] = int(chr(byte), 16) + 1


fill_alphabets()


# The tables. A slot owns a reference to each object it names.

cdef struct Line:
    uint64_t seen  # the hash of the last line that was met here and not kept
    PyObject *raw
    PyObject *key
    PyObject *value
    int kind

cdef struct Target:
    uint64_t seen
    PyObject *raw
    PyObject *method
    PyObject *target
    PyObject *path
    PyObject *query
    int version
    bint is_head

cdef struct Name:
    PyObject *raw
    PyObject *key
    int kind


cdef inline uint64_t load(const char *at) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, at, 8)
    return word


cdef inline uint64_t digest(const char *at, Py_ssize_t size) noexcept nogil:
    """A hash of the length and of at most 24 bytes from the front, the middle and the end; never 0."""
    cdef uint64_t word = 0
    cdef uint64_t mixed
    if size >= 8:
        mixed = load(at) * 0x9E3779B97F4A7C15ULL
        mixed = (mixed ^ (mixed >> 29) ^ load(at + size - 8)) * 0xBF58476D1CE4E5B9ULL
        mixed = (mixed ^ (mixed >> 32) ^ load(at + size // 2 - 4)) * 0x94D049BB133111EBULL
    else:
        memcpy(&word, at, size)
        mixed = word * 0x9E3779B97F4A7C15ULL
    return (mixed ^ (mixed >> 31) ^ <uint64_t>size) | 1


cdef inline bint same(PyObject *raw, const char *at, Py_ssize_t size) noexcept:
    return (
        raw != NULL
        and PyBytes_GET_SIZE(<object>raw) == size
        and memcmp(PyBytes_AS_STRING(<object>raw), at, size) == 0
    )


cdef inline void keep(PyObject **slot, object value) noexcept:
    Py_INCREF(value)
    Py_XDECREF(slot[0])
    slot[0] = <PyObject *>value


cdef inline bint within(const char *at, const char *end, const unsigned char *alphabet) noexcept nogil:
    while at < end:
        if not alphabet[<unsigned char>at[0]]:
            return False
        at += 1
    return True


cdef inline bint equals_nocase(const char *at, Py_ssize_t size, const char *lower, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t i
    if size != length:
        return False
    for i in range(size):
        if (at[i] | 32) != lower[i]:
            return False
    return True


cdef bint plain_host(const char *at, Py_ssize_t size) noexcept nogil:
    """Letters, digits, dots and hyphens, perhaps a port: names and IPv4 addresses."""
    cdef const char *end = at + size
    cdef const char *colon = <const char *>memchr(at, c':', size)
    cdef const char *digit
    if colon != NULL:
        if end - colon > 6:
            return False
        digit = colon + 1
        while digit < end:
            if not (c'0' <= digit[0] <= c'9'):
                return False
            digit += 1
        end = colon
    return end > at and within(at, end, IN_HOST)


cdef long long plain_length(const char *at, Py_ssize_t size) noexcept nogil:
    """The number that 1 to 18 digits without a leading zero say, or -1."""
    cdef long long number = 0
    cdef Py_ssize_t i
    if size < 1 or size > 18 or (at[0] == c'0' and size > 1):
        return -1
    for i in range(size):
        if not (c'0' <= at[i] <= c'9'):
            return -1
        number = number * 10 + (at[i] - c'0')
    return number


cdef object decode_path(const char *at, Py_ssize_t size):
    """The percent-decoded path, a bad escape left alone; None if the scanner does not take it."""
    cdef char buffer[KEPT_LINE]
    cdef Py_ssize_t i = 0, n = 0
    if memchr(at, c'%', size) == NULL:
        return PyUnicode_DecodeLatin1(at, size, NULL)
    if size > KEPT_LINE:
        return None
    while i < size:
        if at[i] == c'%' and i + 2 < size and HEX[<unsigned char>at[i + 1]] and HEX[<unsigned char>at[i + 2]]:
            buffer[n] = <char>((HEX[<unsigned char>at[i + 1]] - 1) * 16 + HEX[<unsigned char>at[i + 2]] - 1)
            if buffer[n] == 0:
                return None
            i += 3
        else:
            buffer[n] = at[i]
            i += 1
        n += 1
    return PyUnicode_DecodeLatin1(buffer, n, NULL)


cdef int meaning(const char *key, Py_ssize_t size) noexcept:
    """What a field means to the scanner, from its name as environ spells it."""
    if size == 4 and memcmp(key, b"HOST", 4) == 0:
        return HOST
    if size == 10 and memcmp(key, b"CONNECTION", 10) == 0:
        return CONNECTION
    if size == 14 and memcmp(key, b"CONTENT_LENGTH", 14) == 0:
        return LENGTH
    if (
        (size == 17 and memcmp(key, b"TRANSFER_ENCODING", 17) == 0)
        or (size == 7 and memcmp(key, b"UPGRADE", 7) == 0)
        or (size == 7 and memcmp(key, b"TRAILER", 7) == 0)
        or (size == 6 and memcmp(key, b"EXPECT", 6) == 0)
    ):
        return BEYOND
    return PLAIN


METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")

cdef object REQUEST_METHOD = "REQUEST_METHOD"
cdef object SERVER_PROTOCOL = "SERVER_PROTOCOL"
cdef object PATH_INFO = "PATH_INFO"
cdef object QUERY_STRING = "QUERY_STRING"
cdef object RAW_URI = "RAW_URI"
cdef object REQUEST_URI = "REQUEST_URI"
cdef object CONTENT_LENGTH = "CONTENT_LENGTH"
cdef object GET = METHODS[0]
cdef object HTTP_1_0 = "HTTP/1.0"
cdef object NO_QUERY = ""


cdef object read_method(const char *at, Py_ssize_t size):
    for method in METHODS:
        if len(method) == size and memcmp(PyBytes_AS_STRING(method.encode()), at, size) == 0:
            return method
    return None


cdef class Scanner:
    """Takes plain heads.

    Args:
        template: what every environ starts as; it says GET, HTTP/1.1 and an empty query.
        limits: a grammar.HeadLimits.
        max_body: the longest body that is taken, in bytes.
    """

    def __cinit__(self, dict template, limits, long long max_body):
        self.template = template
        self.max_line = limits.line
        self.max_fields = limits.fields
        self.max_field = limits.field
        self.max_head = limits.head
        self.max_body = max_body
        self.targets = PyMem_Malloc(TARGETS * sizeof(Target))
        self.lines = PyMem_Malloc(LINES * sizeof(Line))
        self.names = PyMem_Malloc(NAMES * sizeof(Name))
        if self.targets == NULL or self.lines == NULL or self.names == NULL:
            raise MemoryError
        memset(self.targets, 0, TARGETS * sizeof(Target))
        memset(self.lines, 0, LINES * sizeof(Line))
        memset(self.names, 0, NAMES * sizeof(Name))

    def __dealloc__(self):
        cdef int i
        cdef Target *target
        cdef Line *line
        cdef Name *name
        if self.targets != NULL:
            for i in range(TARGETS):
                target = <Target *>self.targets + i
                Py_XDECREF(target.raw)
                Py_XDECREF(target.method)
                Py_XDECREF(target.target)
                Py_XDECREF(target.path)
                Py_XDECREF(target.query)
        if self.lines != NULL:
            for i in range(LINES):
                line = <Line *>self.lines + i
                Py_XDECREF(line.raw)
                Py_XDECREF(line.key)
                Py_XDECREF(line.value)
        if self.names != NULL:
            for i in range(NAMES):
                name = <Name *>self.names + i
                Py_XDECREF(name.raw)
                Py_XDECREF(name.key)
        PyMem_Free(self.targets)
        PyMem_Free(self.lines)
        PyMem_Free(self.names)

    cpdef bint scan(self, Inbox inbox, HeadParser head) except -1:
        """Take the next head of *inbox*: True with the facts in *head*, or False with nothing taken."""
        cdef const char *begin = inbox.data + inbox.start
        cdef const char *end = inbox.data + inbox.end
        cdef const char *eol = line_end(begin, end)
        cdef Target target
        cdef dict environ
        if eol == NULL or eol - begin > self.max_line:
            return False
        # The slot may be replaced while the fields are read: only by us, and not before we are done with it.
        cdef Target *found = find_target(<Target *>self.targets, begin, eol - begin, &target)
        if found == NULL:
            return False
        environ = <dict>PyDict_Copy(self.template)
        set_target(environ, found)
        head.version = found.version
        head.is_head = found.is_head
        if found == &target:
            release_target(found)
        eol = self.read_fields(environ, head, eol + 2, end)
        if eol == NULL or eol - begin > self.max_head:
            return False
        head.expect_continue = False
        head.environ = environ
        inbox.start = eol - inbox.data
        return True

    cdef const char *read_fields(self, dict environ, HeadParser head, const char *at, const char *end) except? NULL:
        """Put the field lines into *environ*; where the head ends, or NULL to give up."""
        cdef const char *eol
        cdef Py_ssize_t fields = 0
        cdef bint close = False, keep_alive = False, host = False
        cdef long long length = 0
        cdef Line made
        cdef Line *line
        while True:
            eol = line_end(at, end)
            if eol == NULL:
                return NULL
            if eol == at:
                break
            fields += 1
            if fields > self.max_fields or eol - at > self.max_field:
                return NULL
            line = find_line(<Line *>self.lines, <Name *>self.names, at, eol - at, &made)
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
                    length = plain_length(
                        PyBytes_AS_STRING(<object>line.raw), PyBytes_GET_SIZE(<object>line.raw)
                    )
            if line == &made:
                release_line(line)
            at = eol + 2
        # A field that came twice is not for the scanner: fewer entries than lines.
        if PyDict_Size(environ) != PyDict_Size(self.template) + fields:
            return NULL
        if length < 0 or length > self.max_body or not (host or head.version == 10):
            return NULL
        head.body_length = length
        head.keep_alive = not close and (keep_alive or head.version == 11)
        return at + 2


cdef inline const char *line_end(const char *at, const char *end) noexcept nogil:
    """Where the CRLF of the line stands; NULL if it has none yet, or a bare LF or CR before it."""
    cdef const char *lf = <const char *>memchr(at, c'\n', end - at) if at < end else NULL
    if lf == NULL or lf == at or (lf - 1)[0] != c'\r':
        return NULL
    return lf - 1


cdef inline void release_target(Target *target) noexcept:
    Py_XDECREF(target.method)
    Py_XDECREF(target.target)
    Py_XDECREF(target.path)
    Py_XDECREF(target.query)


cdef inline void release_line(Line *line) noexcept:
    Py_XDECREF(line.raw)
    Py_XDECREF(line.key)
    Py_XDECREF(line.value)


cdef inline int set_target(dict environ, Target *target) except -1:
    PyDict_SetItem(environ, PATH_INFO, <object>target.path)
    PyDict_SetItem(environ, RAW_URI, <object>target.target)
    PyDict_SetItem(environ, REQUEST_URI, <object>target.target)
    if <object>target.method is not GET:
        PyDict_SetItem(environ, REQUEST_METHOD, <object>target.method)
    if <object>target.query is not NO_QUERY:
        PyDict_SetItem(environ, QUERY_STRING, <object>target.query)
    if target.version != 11:
        PyDict_SetItem(environ, SERVER_PROTOCOL, HTTP_1_0)
    return 0


cdef Target *find_target(Target *table, const char *at, Py_ssize_t size, Target *made) except? NULL:
    """The parts of a request line, from the table or made; NULL to give up."""
    cdef uint64_t mark = digest(at, size)
    cdef Target *slot = table + (mark >> 8) % TARGETS
    if same(slot.raw, at, size):
        return slot
    if not make_target(at, size, made):
        return NULL
    if slot.seen != mark or size > KEPT_LINE:
        slot.seen = mark
        return made
    keep(&slot.raw, PyBytes_FromStringAndSize(at, size))
    keep(&slot.method, <object>made.method)
    keep(&slot.target, <object>made.target)
    keep(&slot.path, <object>made.path)
    keep(&slot.query, <object>made.query)
    slot.version = made.version
    slot.is_head = made.is_head
    release_target(made)
    return slot


cdef bint make_target(const char *at, Py_ssize_t size, Target *made) except -1:
    """Split a request line; False to give up."""
    cdef const char *target = <const char *>memchr(at, c' ', size)
    cdef const char *end = at + size - 9  # of the target, before " HTTP/1.1"
    cdef const char *mark
    if target == NULL or end - target < 2 or target[1] != c'/':
        return False
    target += 1
    if memcmp(end, b" HTTP/1.", 8) != 0 or (end[8] != c'1' and end[8] != c'0'):
        return False
    mark = <const char *>memchr(target, c'?', end - target)
    if mark == NULL:
        mark = end
    if not within(target, mark, IN_PATH) or (mark < end and not within(mark, end, IN_QUERY)):
        return False
    method = read_method(at, target - 1 - at)
    path = decode_path(target, mark - target)
    if method is None or path is None:
        return False
    query = NO_QUERY if end - mark < 2 else PyUnicode_DecodeLatin1(mark + 1, end - mark - 1, NULL)
    whole = path if mark == end and len(path) == end - target else PyUnicode_DecodeLatin1(target, end - target, NULL)
    made.raw = made.method = made.target = made.path = made.query = NULL
    keep(&made.method, method)
    keep(&made.target, whole)
    keep(&made.path, path)
    keep(&made.query, query)
    made.version = 11 if end[8] == c'1' else 10
    made.is_head = method == "HEAD"
    return True


cdef Line *find_line(Line *table, Name *names, const char *at, Py_ssize_t size, Line *made) except? NULL:
    """Key and value of a field line, from the table or made; NULL to give up."""
    cdef uint64_t mark = digest(at, size)
    cdef Line *slot = table + (mark >> 8) % LINES
    if same(slot.raw, at, size):
        return slot
    if not make_line(names, at, size, made):
        return NULL
    if made.kind == LENGTH:
        return made
    if slot.seen != mark or size > KEPT_LINE:
        slot.seen = mark
        return made
    keep(&slot.raw, PyBytes_FromStringAndSize(at, size))
    keep(&slot.key, <object>made.key)
    keep(&slot.value, <object>made.value)
    slot.kind = made.kind
    release_line(made)
    return slot


cdef bint make_line(Name *names, const char *at, Py_ssize_t size, Line *made) except -1:
    """Split a field line; False to give up. For a LENGTH, raw holds the digits."""
    cdef const char *colon = <const char *>memchr(at, c':', size)
    cdef const char *value
    cdef const char *end = at + size
    cdef Name *name
    if colon == NULL or colon == at or colon - at > MAX_NAME:
        return False
    value = colon + 1
    while value < end and (value[0] == c' ' or value[0] == c'\t'):
        value += 1
    while end > value and ((end - 1)[0] == c' ' or (end - 1)[0] == c'\t'):
        end -= 1
    if not within(value, end, IN_VALUE):
        return False
    made.raw = made.key = made.value = NULL
    made.kind = find_name(names, at, colon - at, &made.key)
    if made.kind == BEYOND or (made.kind == HOST and not plain_host(value, end - value)):
        Py_XDECREF(made.key)
        return False
    if made.kind == CONNECTION:
        if equals_nocase(value, end - value, b"keep-alive", 10):
            made.kind = KEEP_ALIVE
        elif equals_nocase(value, end - value, b"close", 5):
            made.kind = CLOSE
        else:
            Py_XDECREF(made.key)
            return False
    keep(&made.value, PyUnicode_DecodeLatin1(value, end - value, NULL))
    if made.kind == LENGTH:
        keep(&made.raw, PyBytes_FromStringAndSize(value, end - value))
    return True


cdef int find_name(Name *names, const char *at, Py_ssize_t size, PyObject **key) except -1:
    """The environ key of a field name (a new reference) and what it means; BEYOND if the scanner does not take it."""
    cdef Name *slot = names + (digest(at, size) >> 8) % NAMES
    cdef char buffer[MAX_NAME + 5]
    cdef Py_ssize_t i
    cdef int kind
    if not same(slot.raw, at, size):
        memcpy(buffer, b"HTTP_", 5)
        for i in range(size):
            buffer[5 + i] = <char>NAME_KEY[<unsigned char>at[i]]
            if buffer[5 + i] == 0:
                return BEYOND
        kind = meaning(buffer + 5, size)
        if kind == LENGTH or (size == 12 and memcmp(buffer + 5, b"CONTENT_TYPE", 12) == 0):
            found = PyUnicode_DecodeLatin1(buffer + 5, size, NULL)
        else:
            found = PyUnicode_DecodeLatin1(buffer, size + 5, NULL)
        if size > KEPT_NAME:
            keep(key, found)
            return kind
        keep(&slot.raw, PyBytes_FromStringAndSize(at, size))
        keep(&slot.key, found)
        slot.kind = kind
    keep(key, <object>slot.key)
    return slot.kind
