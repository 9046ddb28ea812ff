from fastwsgi.http._baton_c cimport Baton, Call
from fastwsgi.http._shared_c cimport Shared

cdef extern from "pthread.h":
    ctypedef unsigned long pthread_t
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass


cdef struct Watch:
    const volatile long long *calls  # of the Shared, which the Monitor keeps alive
    volatile bint *dozing
    Call *call
    int limit  # looks at a call until its client is given up; 0: for ever
    volatile long long stuck
    volatile bint stopped
    pthread_mutex_t mutex  # over posts and awake
    pthread_cond_t posted, woken
    int posts
    bint awake


cdef class Monitor:
    cdef Shared shared
    cdef Baton baton
    cdef Watch watch
    cdef pthread_t thread
    cdef bint running

    cpdef object follow(self, Baton baton)
    cpdef object stop(self)
    cpdef object wake(self)
