cpdef Py_ssize_t defer_counts(list objects) except -1
