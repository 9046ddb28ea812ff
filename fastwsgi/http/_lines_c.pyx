"""One line of a plain head, taken apart: what the scanner does where its tables do not know a line.

Each function takes a line, without its CRLF, that head.py could not refuse, and gives up (False) on any other.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.stdint cimport uint64_t
from libc.string cimport memchr, memcmp, memcpy

from fastwsgi import figures
from fastwsgi.http.grammar import TOKEN_CHARS, VALUE_CHARS

cdef extern from *:
    """
    #define EACH UINT64_C(0x0101010101010101)  /* byte of eight */
    """
    uint64_t EACH

cdef extern from "Python.h":
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    void *PyUnicode_DATA(object)
    str PyUnicode_New(Py_ssize_t, Py_UCS4)

cdef enum:
    KEPT_NAME = 64  # bytes: longer names are not kept
    MAX_NAME = 256  # bytes of a field name the scanner takes
    MAX_PORT = 65535
    NAME_BYTES = 184  # as figures.CALL_NAME_BYTES

assert NAME_BYTES == figures.CALL_NAME_BYTES

cdef tuple METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")


# Alphabets

cdef unsigned char NAME_KEY[256]  # field-name byte -> its byte in environ, 0 if not plain
cdef unsigned char IN_VALUE[256]
cdef unsigned char IN_PATH[256]
cdef unsigned char IN_QUERY[256]
cdef unsigned char IN_HOST[256]
cdef unsigned char HEX[256]  # digit value + 1


cdef fill_alphabets():
    cdef int byte
    for byte in VALUE_CHARS:
        IN_VALUE[byte] = 1
    for byte in range(256):
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


cdef inline bint within(const char *at, const char *end, const unsigned char *alphabet) noexcept nogil:
    while at < end:
        if not alphabet[<unsigned char>at[0]]:
            return False
        at += 1
    return True


cdef inline PyObject *owned(object value) noexcept:
    """A reference that a line owns."""
    Py_INCREF(value)
    return <PyObject *>value


# The request line

cdef bint read_request_line(const char *at, Py_ssize_t size, RequestLine *made) except -1:
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
    query = None if end - mark < 2 else PyUnicode_DecodeLatin1(mark + 1, end - mark - 1, NULL)
    whole = path if mark == end and len(path) == end - target else PyUnicode_DecodeLatin1(target, end - target, NULL)
    name = PyBytes_FromStringAndSize(at, min(mark - at, NAME_BYTES))
    made.raw = NULL
    made.name = owned(name)
    made.method = NULL if method == "GET" else owned(method)
    made.target = owned(whole)
    made.path = owned(path)
    made.query = NULL if query is None else owned(query)
    made.version = 11 if end[8] == c'1' else 10
    made.is_head = method == "HEAD"
    return True


cdef str read_method(const char *at, Py_ssize_t size):
    """The method, or None if it is not one of METHODS."""
    for method in METHODS:
        if PyUnicode_GET_LENGTH(method) == size and memcmp(PyUnicode_DATA(method), at, size) == 0:
            return method
    return None


cdef str decode_path(const char *at, Py_ssize_t size):
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


# A field line

cdef bint read_field_line(FieldName *names, const char *at, Py_ssize_t size, FieldLine *made) except -1:
    """Split a field line; False to give up.

    *names* is a table of NAMES slots, in which names are found and kept.
    """
    cdef const char *colon = <const char *>memchr(at, c':', size)
    cdef const char *value
    cdef const char *end = at + size
    if colon == NULL or colon == at or colon - at > MAX_NAME:
        return False
    value = colon + 1
    while value < end and (value[0] == c' ' or value[0] == c'\t'):
        value += 1
    while end > value and ((end - 1)[0] == c' ' or (end - 1)[0] == c'\t'):
        end -= 1
    text = read_value(value, end)
    if text is None:
        return False
    made.raw = made.key = made.value = NULL
    made.length = 0
    made.kind = find_name(names, at, colon - at, &made.key)
    if made.kind != PLAIN and not read_special(value, end - value, made):
        Py_XDECREF(made.key)
        return False
    made.value = owned(text)
    return True


cdef str read_value(const char *at, const char *end):
    """A value, or None if it has a byte that none may have; most are blanks and visible ASCII."""
    cdef str text
    if is_visible(at, end - at):
        text = PyUnicode_New(end - at, 127)
        memcpy(PyUnicode_DATA(text), at, end - at)
        return text
    return PyUnicode_DecodeLatin1(at, end - at, NULL) if within(at, end, IN_VALUE) else None


cdef inline bint is_visible(const char *at, Py_ssize_t size) noexcept nogil:
    """Whether all bytes are from 32 to 126. Eight at a time, as a value that is new costs most in a varied head."""
    cdef const char *last = at + size - 8
    cdef uint64_t word = 32 * EACH
    cdef uint64_t others = 0
    if size < 8:
        memcpy(&word, at, size)
        return outside(word) == 0
    while at < last:
        others |= outside(load(at))
        at += 8
    return (others | outside(load(last))) == 0


cdef inline uint64_t outside(uint64_t word) noexcept nogil:
    """0 if all eight bytes are from 32 to 126: then none has its top bit set, less 32, or plus 1."""
    return (word | (word - 32 * EACH) | (word + EACH)) & (128 * EACH)


cdef bint read_special(const char *value, Py_ssize_t size, FieldLine *made) noexcept:
    """Read the value of a field whose kind is not PLAIN; False to give up."""
    if made.kind == HOST:
        return is_plain_host(value, size)
    if made.kind == LENGTH:
        made.length = plain_length(value, size)
        return made.length >= 0
    if made.kind == CONNECTION:
        if equals_nocase(value, size, b"keep-alive", 10):
            made.kind = KEEP_ALIVE
            return True
        if equals_nocase(value, size, b"close", 5):
            made.kind = CLOSE
            return True
    return False


cdef int find_name(FieldName *names, const char *at, Py_ssize_t size, PyObject **key) except -1:
    """The environ key of a field name (a new reference) and what it means; BEYOND if the scanner does not take it."""
    cdef FieldName *slot = names + (digest(at, size) >> 8) % NAMES
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
            key[0] = owned(found)
            return kind
        raw = PyBytes_FromStringAndSize(at, size)
        release_field_name(slot)
        slot.raw, slot.key, slot.kind = owned(raw), owned(found), kind
    key[0] = owned(<object>slot.key)
    return slot.kind


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


cdef bint equals_nocase(const char *at, Py_ssize_t size, const char *lower, Py_ssize_t length) noexcept nogil:
    cdef Py_ssize_t i
    if size != length:
        return False
    for i in range(size):
        if (at[i] | 32) != lower[i]:
            return False
    return True


cdef bint is_plain_host(const char *at, Py_ssize_t size) noexcept nogil:
    """Whether it is letters, digits, dots and hyphens, perhaps with a port: names and IPv4 addresses."""
    cdef const char *end = at + size
    cdef const char *colon = <const char *>memchr(at, c':', size)
    cdef const char *digit
    cdef int port = 0
    if colon != NULL:
        if end - colon > 6:
            return False
        digit = colon + 1
        while digit < end:
            if not (c'0' <= digit[0] <= c'9'):
                return False
            port = port * 10 + (digit[0] - c'0')
            digit += 1
        if port > MAX_PORT:
            return False
        end = colon
    return end > at and within(at, end, IN_HOST)


cdef long long plain_length(const char *at, Py_ssize_t size) noexcept nogil:
    """The number that 1 to 18 digits without a leading zero stand for, or -1."""
    cdef long long number = 0
    cdef Py_ssize_t i
    if size < 1 or size > 18 or (at[0] == c'0' and size > 1):
        return -1
    for i in range(size):
        if not (c'0' <= at[i] <= c'9'):
            return -1
        number = number * 10 + (at[i] - c'0')
    return number
