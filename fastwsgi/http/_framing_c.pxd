cdef class Framing:
    cdef public long long max_body

    cpdef long long request_length(self, int version, list lengths, list codings) except? -2
    cpdef int response_body(self, bint to_head, int version, int code, long long length) except -1
    cpdef long long bodiless_length(self, int code, long long announced, long long known) except? -2
