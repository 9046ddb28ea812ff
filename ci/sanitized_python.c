/* The interpreter with AddressSanitizer and UndefinedBehaviorSanitizer linked in: for modules that are built with them.

   Preloading the runtime would do for a Python by itself, but would get into curl and other children, too, and stall
   them. */
#include <Python.h>

/* CPython keeps memory to its end. Children that start with an empty environment need this, too. */
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

int main(int argc, char **argv) {
    return Py_BytesMain(argc, argv);
}
