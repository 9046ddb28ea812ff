/* libFuzzer around a target that is written in Python: FUZZ_TARGET names a module of the package ci.fuzzing.

   Coverage is that of the compiled modules, httptools included. An exception is a find, like a report of the sanitizers. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static PyObject *check;

static void stop_at_exception(void) {
    PyErr_Print();
    fflush(stderr);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    char name[100];
    PyObject *module;
    (void)argc, (void)argv;
    snprintf(name, sizeof name, "ci.fuzzing.%s", getenv("FUZZ_TARGET"));
    Py_InitializeEx(0); /* signals are libFuzzer's */
    module = PyImport_ImportModule(name);
    check = module ? PyObject_GetAttrString(module, "check") : NULL;
    if (!check) stop_at_exception();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    PyObject *result = PyObject_CallFunction(check, "y#", (const char *)data, (Py_ssize_t)size);
    if (!result) stop_at_exception();
    Py_DECREF(result);
    return 0;
}
