cpdef int open_beneath(int folder, bytes path) except? -1
