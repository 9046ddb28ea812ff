from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport PyObject, Py_XDECREF
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy


cdef enum:
    KEPT_LINE = 512  # bytes: longer lines are not kept
    NAMES = 256  # slots of a table of field names

# What a field means to the scanner
cdef enum:
    PLAIN
    HOST
    CONNECTION
    KEEP_ALIVE  # Connection: keep-alive
    CLOSE  # Connection: close
    LENGTH
    BEYOND  # changes the framing or the flow, which the scanner leaves to head.py

# Each struct is also a slot of a table, with a reference to each of its objects; *raw* is NULL where no line is kept.

cdef struct RequestLine:
    uint64_t seen  # the hash of the last line that fell on this slot and was not kept
    PyObject *raw
    PyObject *name  # of the call: see head.py
    PyObject *method  # NULL for GET
    PyObject *target
    PyObject *path
    PyObject *query  # NULL for an empty one
    int version
    bint is_head

cdef struct FieldLine:
    uint64_t seen
    PyObject *raw
    PyObject *key  # of environ
    PyObject *value
    long long length  # the number in a Content-Length
    int kind

cdef struct FieldName:
    PyObject *raw
    PyObject *key
    int kind

# What the fields say that were read so far
cdef struct Fields:
    int count
    bint host, close, keep_alive
    long long length  # of the body
    Py_ssize_t known  # bytes of the first lines that were all known

cdef bint read_request_line(const char *at, Py_ssize_t size, RequestLine *made) except -1
cdef bint read_field_line(FieldName *names, const char *at, Py_ssize_t size, FieldLine *made) except -1


cdef inline void release_request_line(RequestLine *line) noexcept:
    Py_XDECREF(line.raw)
    Py_XDECREF(line.name)
    Py_XDECREF(line.method)
    Py_XDECREF(line.target)
    Py_XDECREF(line.path)
    Py_XDECREF(line.query)


cdef inline void release_field_line(FieldLine *line) noexcept:
    Py_XDECREF(line.raw)
    Py_XDECREF(line.key)
    Py_XDECREF(line.value)


cdef inline void release_field_name(FieldName *name) noexcept:
    Py_XDECREF(name.raw)
    Py_XDECREF(name.key)


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
