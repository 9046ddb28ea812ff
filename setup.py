"""Builds the compiled half of fastwsgi; everything else stands in pyproject.toml.

Two kinds of extension modules: NATIVE ones are written in Cython (the byte work); SHARED ones compile the text of a
pure module under a second name, `connection.py` -> `_connection_c`, with a .pxd beside it that gives the C types.

Environment variables:
    FASTWSGI_NO_EXT=1        build pure
    FASTWSGI_REQUIRE_EXT=1   fail where the extensions cannot be built (default: warn loudly and build pure)
    FASTWSGI_SYMBOLS=1       keep the symbols, for a profiler
    FASTWSGI_SANITIZE=1      assertions on, address and undefined-behaviour sanitizers in
"""

import hashlib
import json
import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NATIVE = ("http/_environ_c", "http/_response_c", "http/_wire_c", "server/_sockio_c")
SHARED = ("http/framing", "http/head", "http/body", "http/wsgi", "http/connection")
RECORD = "_compiled_sources.json"  # which text each SHARED module was compiled from

DIRECTIVES = {"language_level": 3, "annotation_typing": False, "binding": False}
# The byte work checks its bounds itself; the shared text is plain Python and keeps Python's meaning.
UNCHECKED = {"boundscheck": False, "wraparound": False, "initializedcheck": False, "cdivision": True}


def compile_options():
    if os.environ.get("FASTWSGI_SANITIZE") == "1":
        sanitizers = ["-fsanitize=address,undefined"]
        return {
            "extra_compile_args": ["-O1", "-g", "-UNDEBUG", "-fno-omit-frame-pointer", *sanitizers],
            "extra_link_args": sanitizers,
        }
    strip = sys.platform == "linux" and os.environ.get("FASTWSGI_SYMBOLS") != "1"
    return {"extra_compile_args": ["-O2"], "extra_link_args": ["-Wl,-s"] if strip else []}


def cythonized():
    """The extensions as C sources, made anew: Cython follows dependencies by source name and misses a changed .pxd."""
    from Cython.Build import cythonize

    options = compile_options()
    native = [Extension(f"fastwsgi.{name.replace('/', '.')}", [f"fastwsgi/{name}.pyx"], **options) for name in NATIVE]
    shared = [
        Extension("fastwsgi.{}._{}_c".format(*name.split("/")), [f"fastwsgi/{name}.py"], **options) for name in SHARED
    ]
    how = {"force": True, "build_dir": "build/cython", "quiet": True}
    return [
        *cythonize(native, compiler_directives={**DIRECTIVES, **UNCHECKED}, **how),
        *cythonize(shared, compiler_directives=DIRECTIVES, **how),
    ]


def digest(name):
    return hashlib.sha256(Path(f"fastwsgi/{name}.py").read_bytes()).hexdigest()


class BuildExtensions(build_ext):
    """Builds all or nothing: half a compiled server would be a third build."""

    def run(self):
        try:
            super().run()
        except Exception as error:
            if os.environ.get("FASTWSGI_REQUIRE_EXT") == "1":
                raise
            for module in self.extensions:
                Path(self.get_ext_fullpath(module.name)).unlink(missing_ok=True)
            print(f"\n*** fastwsgi: NOT COMPILED, installing the pure Python build, which is slower: {error}\n", file=sys.stderr)
            self.extensions = []
            return
        if not self.extensions:
            return
        folder = Path("fastwsgi" if self.inplace else Path(self.build_lib, "fastwsgi"), "http")
        folder.joinpath(RECORD).write_text(json.dumps({name: digest(name) for name in SHARED}, indent=1) + "\n")

    def get_outputs(self):
        outputs = super().get_outputs()
        return [*outputs, str(Path(self.build_lib, "fastwsgi/http", RECORD))] if outputs else outputs


if os.environ.get("FASTWSGI_NO_EXT") == "1":
    setup()
else:
    try:
        modules = cythonized()
    except Exception as error:
        if os.environ.get("FASTWSGI_REQUIRE_EXT") == "1":
            raise
        print(f"\n*** fastwsgi: NOT COMPILED, installing the pure Python build, which is slower: {error}\n", file=sys.stderr)
        modules = []
    setup(ext_modules=modules, cmdclass={"build_ext": BuildExtensions})
