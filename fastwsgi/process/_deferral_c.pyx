"""Deferred reference counts, which C alone can ask for; deferral.py says what for."""


cdef extern from *:
    """
    #if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    #define defer_count(object) PyUnstable_Object_EnableDeferredRefcount(object)
    #else
    #define defer_count(object) ((void)(object), 0)
    #endif
    """
    bint defer_count(object one)


cpdef Py_ssize_t defer_counts(list objects) except -1:
    """Have the counts of *objects* deferred; for how many the interpreter has done so."""
    cdef Py_ssize_t count = 0
    for one in objects:
        count += defer_count(one)
    return count
