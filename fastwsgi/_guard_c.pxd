cimport cython

cdef extern from *:
    """
    #if defined(Py_GIL_DISABLED)

    typedef struct {
        PyMutex mutex;
        PyThreadState *holder;  /* NULL: nobody has it */
    } guard_lock;

    static inline int guard_take(guard_lock *guard) {
        PyThreadState *own = PyThreadState_GetUnchecked();
        if (__atomic_load_n(&guard->holder, __ATOMIC_RELAXED) == own)
            return 0;
        PyMutex_Lock(&guard->mutex);
        __atomic_store_n(&guard->holder, own, __ATOMIC_RELAXED);
        return 1;
    }

    static inline int guard_try(guard_lock *guard) {
        PyThreadState *own = PyThreadState_GetUnchecked();
        unsigned char before = 0;
        if (__atomic_load_n(&guard->holder, __ATOMIC_RELAXED) == own)
            return 0;
        if (!__atomic_compare_exchange_n(&guard->mutex._bits, &before, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            return 0;
        __atomic_store_n(&guard->holder, own, __ATOMIC_RELAXED);
        return 1;
    }

    static inline int guard_leave(guard_lock *guard) {
        if (__atomic_load_n(&guard->holder, __ATOMIC_RELAXED) != PyThreadState_GetUnchecked())
            return 0;
        __atomic_store_n(&guard->holder, NULL, __ATOMIC_RELAXED);
        PyMutex_Unlock(&guard->mutex);
        return 1;
    }

    static inline int guard_has(guard_lock *guard) {
        return __atomic_load_n(&guard->holder, __ATOMIC_RELAXED) == PyThreadState_GetUnchecked();
    }

    #define guard_renew(guard) memset(guard, 0, sizeof(guard_lock))

    #else

    typedef char guard_lock;
    #define guard_take(guard) 0
    #define guard_try(guard) 1
    #define guard_leave(guard) 0
    #define guard_has(guard) 1
    #define guard_renew(guard)

    #endif
    """
    ctypedef struct guard_lock:
        pass
    bint guard_take(guard_lock *)
    bint guard_try(guard_lock *)
    bint guard_leave(guard_lock *)
    bint guard_has(guard_lock *)
    void guard_renew(guard_lock *)


@cython.final
cdef class Guard:
    cdef guard_lock lock

    cdef inline bint take_back(self) noexcept:
        return guard_take(&self.lock)

    cdef inline void give_up(self) noexcept:
        guard_leave(&self.lock)

    cpdef bint try_to_take(self)
    cpdef bint let_go(self)
    cpdef bint is_ours(self)
    cpdef Held held(self)
    cpdef GivenUp given_up(self)
    cpdef object renew(self)


@cython.final
cdef class Held:
    cdef Guard guard
    cdef bint taken


@cython.final
cdef class GivenUp:
    cdef Guard guard
    cdef bint left
